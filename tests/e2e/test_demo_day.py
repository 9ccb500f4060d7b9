"""One trading day through the whole stack: the rules hold on what it left, the same day goes the same way twice, and a
backtest goes that way too (RULINGS 40: one stack day serves them all)."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.e2e.day_checks import check_day, played
from tests.support.breakout_reading import Rules
from tests.support.synthetic_file import write_synthetic_file

from htbot.backtest.spread_run import run_spreads
from htbot.bootstrap.demo import DemoOptions, DemoResult, run
from htbot.bootstrap.parity import against_backtest, report, request_of

# A fixed day of the synthetic market, replayed from a file of its bars: the suite must not depend on today's date.
DAY = date(2026, 3, 3)

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_day_keeps_its_rules_repeats_to_the_byte_and_is_what_a_backtest_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # what stays of a failure is found there
    data = (write_synthetic_file(tmp_path / "spx.csv", "SPX", DAY),)
    first = run(DemoOptions(data=data, day=DAY, symbol="SPX"))
    second = run(DemoOptions(data=data, day=DAY, symbol="SPX"))

    assert first.journal == second.journal
    assert first.summary["trades"], "a newcomer's first day has a trade"
    check_day(played(first.summary, data, Rules(), tmp_path))
    check_parity(first, tmp_path)


def check_parity(day: DemoResult, folder: Path) -> None:
    """The backtest gives the same day; one that travels longer to the exchange does not, and the report says so."""
    same = against_backtest(day)
    assert same.summary["divergence"] is None
    assert same.identical
    assert same.summary["compared"] == {
        "bars": 78,
        "evaluations": 780,
        "signals": len(day.summary["signals"]),
        "intents": len(day.summary["orders"]),
        "fills": len(day.summary["fills"]),
        "trades": len(day.summary["trades"]),
    }
    assert same.summary["pnl"]["stack"]["net"] == same.summary["pnl"]["backtest"]["net"]

    slower = replace(request_of(day, folder / "cache"), latency_s=2.0)
    other = report(day, slower, run_spreads(slower), 0.0)
    assert not other.identical
    assert "latency_s" in other.summary["divergence"]["reason"]
