from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.spread_day import CALENDAR, DAY, request, walk, world

from htbot.backtest.spread_parity import rows_of_result
from htbot.backtest.spread_run import run_spreads
from htbot.bootstrap.day_record import DayRecord
from htbot.bootstrap.demo import DemoResult
from htbot.bootstrap.parity import ParityOptions, report, request_of, run
from htbot.domain.errors import ConfigurationError, NotFound
from htbot.settings import load_settings

_FOUND = CALENDAR.on(DAY)
assert _FOUND is not None
SESSION = _FOUND
PNL = {"gross": "1.00", "commissions": "2.00", "net": "-1.00"}


@pytest.fixture(scope="module")
def played() -> DemoResult:
    """A day as the stack would leave it, made by the backtest itself."""
    result = run_spreads(request(world(walk())))
    record = DayRecord("DU1000001", SESSION.opens - timedelta(days=2), rows_of_result(result))
    settings = load_settings(
        Path("/nowhere"),
        {
            "HTBOT_ENV_FILE": os.devnull,
            "HTBOT_SYMBOL": "SPY",
            "PAPER_SPEED": "max",
            "PAPER_START": "2026-03-03T09:25",
            "PAPER_END": "2026-03-03T16:05",
            "PAPER_COMMISSIONS": "tiered",
            "PAPER_SLIPPAGE_TICKS": "2",
            "PAPER_CASH": "50000",
            "HTBOT_QTY": "2",
            "BREAKER_FLATTEN": "false",
        },
    )
    return DemoResult({"pnl": PNL, "wall_s": 60.0}, "", record, settings, SESSION)


def test_the_report_has_the_shape_of_the_interface(played: DemoResult) -> None:
    asked = request(world(walk()))
    made = report(played, asked, run_spreads(asked), 1.234)
    assert made.identical
    assert made.summary["identical"] is True
    assert made.summary["divergence"] is None
    assert {"signals", "intents", "fills"} <= set(made.summary["compared"])
    assert made.summary["pnl"]["stack"] == PNL
    assert made.summary["inputs"]["latency_s"] == 0.0
    assert made.summary["wall_s"] == {"stack": 60.0, "backtest": 1.2}


def test_a_difference_is_reported_with_both_sides(played: DemoResult) -> None:
    asked = replace(request(world(walk())), latency_s=3.0)
    made = report(played, asked, run_spreads(asked), 1.0)
    found = made.summary["divergence"]
    assert not made.identical
    assert found["at"].startswith("2024-07-03T")
    assert found["stack"] != found["backtest"]
    assert set(found["bar"]) == set(found["looked"]) == {"stack", "backtest"}
    assert made.summary["inputs"]["latency_s"] == 3.0


def test_the_backtest_is_asked_what_the_stack_was_run_with(played: DemoResult, tmp_path: Path) -> None:
    asked = request_of(played, tmp_path)
    assert asked.account == "DU1000001"
    assert asked.history_from == played.record.history_from
    assert asked.enabled_after == SESSION.opens
    assert (asked.plan.value, asked.rules.slippage_ticks, asked.cash_usd) == ("tiered", 2, Decimal(50_000))
    assert asked.strategy.needs.symbol == "SPY"
    assert asked.market.world_id == "synthetic-7-20260303"
    assert (asked.latency_s, asked.flatten_on_trip) == (0.0, False)


def test_a_strategy_that_is_not_there_is_refused_before_anything_starts() -> None:
    with pytest.raises(NotFound, match="did you mean spx_breakout"):
        run(ParityOptions("spx_breakot", DAY))


def test_a_strategy_that_is_not_compared_yet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from htbot.strategies.registry import STRATEGIES

    monkeypatch.setitem(STRATEGIES, "another", STRATEGIES["spx_breakout"])
    with pytest.raises(ConfigurationError, match="parity compares spx_breakout only: days of another"):
        run(ParityOptions("another", DAY))
