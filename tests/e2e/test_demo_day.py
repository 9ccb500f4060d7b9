"""One trading day through the whole stack, every strategy that it runs in it: the rules hold on what it left, the same
day goes the same way twice, and a backtest goes that way too (RULINGS 40: one stack day for all)."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.e2e.day_checks import check_day, played
from tests.support.breakout_reading import Rules
from tests.support.synthetic_file import MINUTES, write_synthetic_file

from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.demo import DemoOptions, DemoResult, run
from htbot.bootstrap.parity import against_backtest
from htbot.bootstrap.parity_cast import Cast, CastWanted, cast_of, every_name

# A fixed day of the synthetic market, replayed from a file of its bars: the suite must not depend on today's date. It
# ends early, at 13:00: the afternoon of a whole one, which test_spx_20210104.py plays, is more of the same, and takes a
# minute of processor time of each of the two.
DAY = date(2025, 7, 3)
SYMBOLS = {
    "spx_breakout": "SPX",
    "level_based": "SPY",
    "ma_crossover": "TSLA",
    "momentum": "AAPL",
    "plain_breakout": "MSFT",
    "range_bound": "NVDA",
    "vertical_spread": "QQQ",
    "strangle_momentum": "SPY",
}
# All but strategy 1 enter within ten minutes and are out five minutes later: while a stop stands at the
# gateway an instant comes every five seconds.
SETTINGS = {
    "entry_start": "10:00",
    "entry_end": "10:10",
    "exit_time": "10:15",
    "allow_short": "true",
    "min_reward_risk": "0",
    "exit_proximity": "0",
    "level_based.quantity": "8",  # ten are more than a position may be of an account's worth
    "level_based.max_entries_per_day": "1",  # the gate refuses the second
    "level_based.proximity": "0.01",
    "level_based.min_strength": "0",
    "level_based.volume_ratio": "0.01",
    "ma_crossover.short_window": "1",
    "ma_crossover.long_window": "2",
    "ma_crossover.stop_loss_usd": "40",
    "momentum.min_conditions": "1",
    "momentum.min_roc": "0.0005",
    "momentum.rsi_from": "51",
    "momentum.stop_loss": "0.001",
    "momentum.take_profit": "0.002",
    "plain_breakout.warmup": "seeded",
    "plain_breakout.profit_target_usd": "12",
    "range_bound.proximity": "0.02",
    "range_bound.volume_confirmation": "false",
    "range_bound.min_range_proximities": "0",
    "range_bound.profit_levels": "true",  # two parts, then time sells the rest
    "range_bound.profit_level_1": "0.001",
    "range_bound.profit_level_2": "0.0025",
    "strangle_momentum.call_index": "2",
    "strangle_momentum.put_index": "2",
    "strangle_momentum.max_premium": "10",
    "strangle_momentum.bid_bar_minutes": "5",
    "strangle_momentum.momentum_threshold": "1.01",
    "vertical_spread.sma_short": "1",
    "vertical_spread.sma_long": "2",
    "vertical_spread.strikes_out": "8",
}

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_a_day_keeps_its_rules_repeats_to_the_byte_and_is_what_a_backtest_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # what stays of a failure is found there
    catalogue = strategies()
    names = every_name(catalogue)
    assert set(names) == set(SYMBOLS), "each of the day has a symbol"
    stocks = sorted({symbol for symbol in SYMBOLS.values() if symbol != "SPX"})
    data = (write_synthetic_file(tmp_path / "day.csv", "SPX", DAY, others=stocks),)
    cast = cast_of(CastWanted(names, [SYMBOLS[name] for name in names], SETTINGS), data, None, catalogue)
    options = DemoOptions(data=data, day=DAY, symbol="SPX", instances=cast.instances, settings=cast.settings)
    first = run(options)
    second = run(options)

    assert first.journal == second.journal
    assert {row.of for row in first.record.rows.trades} == set(cast.names), (
        "each has a trade, also on a newcomer's first day"
    )
    assert [one.level for one in first.record.rows.intents if one.in_part] == [1, 2]
    check_day(played(first.summary, data, Rules(), tmp_path))
    check_accounts(first, cast)
    check_parity(first, cast)


def check_accounts(day: DemoResult, cast: Cast) -> None:
    """Each strategy trades its own account and no other, at limits as everybody has them: some of them bind."""
    rows, owners = day.record.rows, dict(zip(cast.names, cast.accounts, strict=True))
    assert {(one.strategy, one.account) for one in rows.intents} == set(owners.items())
    refs = {one.ref: one.account for one in rows.intents}
    assert {fill.account == refs[fill.ref] for fill in rows.fills} == {True}
    assert {(one.strategy, one.account) for one in rows.evaluations} == set(owners.items())
    assert any(why is not None for _signal, why in rows.signals), "no limit was met"


def check_parity(day: DemoResult, cast: Cast) -> None:
    """The backtest gives the same day; one that travels longer to the exchange does not, and the report says so."""
    names, minutes = cast.names, round((day.session.closes - day.session.opens) / timedelta(minutes=1))
    same = against_backtest(day, names)
    assert same.summary["divergence"] is None
    assert same.identical
    assert same.summary["inputs"]["settings"] == cast.settings
    assert same.summary["compared"] == {
        "bars": minutes // MINUTES * len(set(SYMBOLS.values())),
        "evaluations": 2 * minutes * len(names),
        "signals": len(day.summary["signals"]),
        "intents": len(day.record.rows.intents),
        "fills": len(day.summary["fills"]),
        "trades": len(day.summary["trades"]),
    }
    assert len(day.record.rows.intents) >= len(day.summary["orders"])
    assert same.summary["pnl"]["stack"] == same.summary["pnl"]["backtest"]
    assert same.summary["pnl"]["stack"]["net"] == day.summary["pnl"]["net"]

    other = against_backtest(day, names, latency_s=2.0)
    assert not other.identical
    assert "latency_s" in other.summary["divergence"]["reason"]
