from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.spread_day import CALENDAR, DAY, request, walk, world

from htbot.backtest.day_rows import DayRows
from htbot.backtest.spread_parity import rows_of_result
from htbot.backtest.spread_request import SpreadRequest
from htbot.backtest.spread_run import run_spreads
from htbot.bootstrap.day_record import DayRecord
from htbot.bootstrap.demo import DemoResult
from htbot.bootstrap.paper import build_market
from htbot.bootstrap.paper_options import options_of
from htbot.bootstrap.parity import Backtested, ParityOptions, inputs_of, report, request_of, run, terms_of
from htbot.domain.errors import NotFound
from htbot.settings import Settings, load_settings

_FOUND = CALENDAR.on(DAY)
assert _FOUND is not None
SESSION = _FOUND
NAMES = ("spx_breakout",)


def settings_for(symbol: str) -> Settings:
    return load_settings(
        Path("/nowhere"),
        {
            "HTBOT_ENV_FILE": os.devnull,
            "HTBOT_SYMBOL": symbol,
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


@pytest.fixture(scope="module")
def played() -> DemoResult:
    """A day as the stack would leave it, made by the backtest itself."""
    result = run_spreads(request(world(walk())))
    record = DayRecord("DU1000001", SESSION.opens - timedelta(days=2), rows_of_result(result))
    return DemoResult({"wall_s": 60.0}, "", record, settings_for("SPX"), SESSION)


def other(asked: SpreadRequest, wall_s: float) -> Backtested:
    inputs = {"latency_s": asked.terms.latency_s}
    return Backtested(rows_of_result(run_spreads(asked)), inputs, wall_s)


def test_the_report_has_the_shape_of_the_interface(played: DemoResult) -> None:
    asked = request(world(walk()))
    made = report(played, NAMES, other(asked, 1.234))
    assert made.identical
    assert made.summary["identical"] is True
    assert made.summary["divergence"] is None
    assert {"signals", "intents", "fills"} <= set(made.summary["compared"])
    trades = made.summary["compared"]["trades"]
    assert trades > 0
    assert made.summary["pnl"]["stack"] == made.summary["pnl"]["backtest"]
    assert Decimal(made.summary["pnl"]["stack"]["commissions"]) > trades
    assert made.summary["inputs"]["latency_s"] == 0.0
    assert made.summary["wall_s"] == {"stack": 60.0, "backtest": 1.2}


def test_a_difference_is_reported_with_both_sides(played: DemoResult) -> None:
    asked = request(world(walk()), latency_s=3.0)
    made = report(played, NAMES, other(asked, 1.0))
    found = made.summary["divergence"]
    assert not made.identical
    assert found["at"].startswith("2024-07-03T")
    assert found["stack"] != found["backtest"]
    assert set(found["bar"]) == set(found["looked"]) == {"stack", "backtest"}
    assert made.summary["inputs"]["latency_s"] == 3.0


def test_the_backtest_is_asked_what_the_stack_was_run_with(played: DemoResult, tmp_path: Path) -> None:
    spy = replace(played, settings=settings_for("SPY"))
    options = replace(options_of(spy.settings), calendar_dir=tmp_path)
    terms = terms_of(spy, build_market(options, options.start))
    asked = request_of(spy, terms)
    assert asked.terms is terms
    assert asked.history_from == played.record.history_from
    assert asked.strategy.needs.symbol == "SPY"
    assert (terms.account, terms.enabled_after) == ("DU1000001", SESSION.opens)
    assert terms.told_from == SESSION.opens - timedelta(minutes=5)
    assert (terms.plan.value, terms.rules.slippage_ticks, terms.cash_usd) == ("tiered", 2, Decimal(50_000))
    assert terms.market.world_id == "synthetic-7-20260303"
    assert (terms.latency_s, terms.flatten_on_trip) == (0.0, False)


def test_the_inputs_name_what_was_set_for_the_day(played: DemoResult, tmp_path: Path) -> None:
    """Accounts that no person has set."""
    chosen = {"IB_ACCOUNT": "DU0000001"}
    day = replace(played, settings=settings_for("SPY"), chosen=chosen)
    options = replace(options_of(day.settings), calendar_dir=tmp_path)
    told = inputs_of(day, terms_of(day, build_market(options, options.start)), NAMES)
    assert told["settings"] == chosen


def test_a_strategy_that_is_not_there_is_refused_before_anything_starts() -> None:
    with pytest.raises(NotFound, match="did you mean spx_breakout"):
        run(ParityOptions(("spx_breakot",), DAY))


def test_what_others_did_is_left_out(played: DemoResult) -> None:
    """A record of two strategies: the one that does not take part does not count, and its bars do not either."""
    rows, record = played.record.rows, played.record
    theirs = [replace(one, strategy="other", symbol="QQQ") for one in rows.evaluations]
    bars = [known._replace(bar=replace(known.bar, symbol="QQQ")) for known in rows.bars]
    orders = [replace(one, strategy="other", ref=f"o-{one.ref}") for one in rows.intents]
    fills = [replace(one, ref=f"o-{one.ref}") for one in rows.fills]
    trades = [replace(one, of="other", key=f"o-{one.key}") for one in rows.trades]
    both = DayRows(
        bars=[*rows.bars, *bars],
        evaluations=[*rows.evaluations, *theirs],
        signals=[*rows.signals, *((replace(one, strategy="other"), why) for one, why in rows.signals)],
        intents=[*rows.intents, *orders],
        fills=[*rows.fills, *fills],
        trades=[*rows.trades, *trades],
    )
    two = replace(played, record=replace(record, rows=both))
    asked = request(world(walk()))
    assert report(two, NAMES, other(asked, 1.0)).identical
    assert not report(two, (*NAMES, "other"), other(asked, 1.0)).identical
