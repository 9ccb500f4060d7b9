from __future__ import annotations

from typing import Any

import pytest
from tests.unit.cli.conftest import Shell

from htbot.cli.parity import show


def test_mistakes_are_told_before_anything_is_started(shell: Shell) -> None:
    for words, code, text in (
        (("parity",), 4, "name a strategy such as spx_breakout, or give --all"),
        (("parity", "momentum", "--all", "--date", "2026-11-19"), 4, "not both"),
        (("parity", "spx_breakout"), 4, "--date is missing"),
        (("parity", "spx_breakout", "--date", "2026-11-19", "--symbol", "IBM"), 4, "spx_breakout trades SPX, SPY, QQQ"),
        (("parity", "momentum", "--date", "2026-11-19", "--symbol", "SPX"), 4, "give momentum a stock or fund"),
        (("parity", "spx_breakout", "--date", "2026-11-19", "--set", "a=1"), 4, "HTBOT_ variables"),
        (("parity", "momentum", "--date", "2026-11-19", "--set", "a=1"), 4, "none of momentum has such a setting"),
        (("parity", "spx_breakout", "--date", "2026-11-19", "--data", "none.csv"), 4, "no such file"),
        (("parity", "spx", "--date", "2026-11-19"), 2, "no strategy is called spx"),
        (("parity", "spx_breakout", "--date", "2026-11-21"), 4, "2026-11-21"),
    ):
        told = shell(*words)
        assert (told[0], text in told[2]) == (code, True), (words, told)


def summary(**changed: Any) -> dict[str, Any]:
    pnl = {"gross": "590.00", "commissions": "14.67", "net": "575.33"}
    return {
        "strategies": ["momentum", "spx_breakout"],
        "symbol": "SPX",
        "date": "2026-11-19",
        "days": ["2026-11-19"],
        "identical": True,
        "compared": {"signals": 3, "fills": 12},
        "differing": {},
        "divergence": None,
        "pnl": {"stack": pnl, "backtest": pnl},
        "untraded": None,
        "inputs": {"latency_s": 0.0},
        "wall_s": {"stack": 55.9, "backtest": 2.1},
    } | changed


def test_a_day_that_went_alike_is_two_lines_of_money(capsys: pytest.CaptureFixture[str]) -> None:
    show(summary())
    assert capsys.readouterr().out.splitlines() == [
        "momentum, spx_breakout on 2026-11-19: identical; compared 3 signals, 12 fills",
        "stack     gross 590.00, commissions 14.67, net 575.33 USD, 55.9 s",
        "backtest  gross 590.00, commissions 14.67, net 575.33 USD, 2.1 s",
    ]


def test_several_sessions_are_told_by_their_first_and_last(capsys: pytest.CaptureFixture[str]) -> None:
    show(summary(days=["2026-11-19", "2026-11-20", "2026-11-23"]))
    assert capsys.readouterr().out.startswith("momentum, spx_breakout on 2026-11-19 to 2026-11-23: identical")


def test_a_day_without_a_trade_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    looks = [{"strategy": "momentum", "text": "warming up: 12 of 35 bars", "count": 12}]
    show(summary(untraded={"signals": 0, "accepted": 0, "refused": [], "looks": looks}))
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "nothing was traded in the stack: no signal fired",
        "     12 looks of momentum: warming up: 12 of 35 bars",
    ]
    refused = [{"strategy": "spx_breakout", "text": "minimum_credit: credit 1.10 is below 2.00", "count": 2}]
    show(summary(untraded={"signals": 3, "accepted": 1, "refused": refused, "looks": []}))
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "nothing was traded in the stack: 3 signals, 2 refused, 1 accepted but not filled",
        "      2 signals of spx_breakout: minimum_credit: credit 1.10 is below 2.00",
    ]


def test_a_difference_is_shown_with_what_both_sides_knew(capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        "at": "2026-11-19T15:02:30+00:00",
        "reason": "price of the fill E1 is 12.10 in the stack, 12.05 in the backtest: compare",
        "stack": {"price": "12.10"},
        "backtest": None,
        "bar": {"stack": {"close": 1.0}, "backtest": {"close": 2.0}},
        "looked": {"stack": {"trend": 1}, "backtest": {"trend": -1}},
    }
    show(summary(identical=False, divergence=found, differing={"momentum": 2, "SPY": 1}))
    out = capsys.readouterr().out
    assert "momentum, spx_breakout on 2026-11-19: NOT identical" in out
    assert "First difference at 2026-11-19T15:02:30+00:00: price of the fill E1" in out
    assert "rows that differ: SPY 1, momentum 2" in out
    for text in ("12.10", "{'close': 1.0}", "{'trend': -1}", "latency_s", "nothing"):
        assert text in out
