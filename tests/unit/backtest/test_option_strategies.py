"""What every strategy on options must pass in a backtest: nothing is known before its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from tests.support.spread_day import CALENDAR, DAY, Bars, poisoned, request, walk, world
from tests.unit.backtest.test_spread_run import decided

from htbot.backtest.spread_request import SpreadResult
from htbot.backtest.spread_run import run_spreads
from htbot.marketdata.sessions import trading_window
from htbot.strategies.registry import STRATEGIES, create

QUICK: dict[str, dict[str, object]] = {
    "spx_breakout": {"rsi_window": 6, "ema_span": 9, "rsi_ema_bull": 50, "rsi_ema_bear": 50},
    "strangle_momentum": {"call_index": 2, "put_index": 3, "max_premium": 40, "momentum_threshold": 1.1},
    "vertical_spread": {"symbol": "SPX", "sma_short": 2, "sma_long": 5},
}
BARS = walk(first=date(2024, 6, 24))
_SESSION = CALENDAR.on(DAY)
assert _SESSION is not None
SESSION = _SESSION
OPENS = SESSION.opens


def run(name: str, bars: Bars) -> SpreadResult:
    strategy = create(name, QUICK[name])
    asked = request(world(bars), strategy=strategy)
    rules = strategy.exit_rules(trading_window(SESSION, strategy.hours))
    target = rules.profit_target_usd or asked.limits.profit_target_usd
    limits = replace(asked.limits, profit_target_usd=target, hours=strategy.hours)
    return run_spreads(replace(asked, limits=limits))


@pytest.fixture(scope="module")
def whole() -> dict[str, SpreadResult]:
    return {name: run(name, BARS) for name in QUICK}


def test_every_strategy_on_options_is_here() -> None:
    assert set(QUICK) == {name for name, entry in STRATEGIES.items() if not entry.plain}


@pytest.mark.parametrize("name", QUICK)
def test_it_trades(whole: dict[str, SpreadResult], name: str) -> None:
    """Else the tests below would agree about nothing."""
    assert whole[name].trades
    assert {one.signal.strategy for one in whole[name].signals} == {name}


@pytest.mark.parametrize("minutes", [15, 30, 95])
@pytest.mark.parametrize("name", QUICK)
def test_noise_after_an_instant_changes_nothing_before_it(
    whole: dict[str, SpreadResult], name: str, minutes: int
) -> None:
    cut = OPENS + timedelta(minutes=minutes)
    other = run(name, poisoned(BARS, cut))
    assert decided(other, cut) == decided(whole[name], cut)
    assert decided(other, cut + timedelta(minutes=10)) != decided(whole[name], cut + timedelta(minutes=10))


@pytest.mark.parametrize("name", QUICK)
def test_a_file_that_ends_early_gives_the_first_part(whole: dict[str, SpreadResult], name: str) -> None:
    cut: datetime = OPENS + timedelta(minutes=60)
    part = {at: row for at, row in BARS.items() if at < cut}
    assert decided(run(name, part), cut) == decided(whole[name], cut)


@pytest.mark.parametrize("name", QUICK)
def test_what_was_known_is_used(whole: dict[str, SpreadResult], name: str) -> None:
    """The control: the same noise before the decision is seen."""
    first = min(one.signal.as_of for one in whole[name].signals)
    other = run(name, poisoned(BARS, OPENS - timedelta(days=1)))
    until = first + timedelta(minutes=1)
    assert decided(other, until) != decided(whole[name], until)


def test_strikes_by_delta_are_those_of_a_credit_spread(whole: dict[str, SpreadResult]) -> None:
    """Distinct, out of the money, the bought one further out; one trade a session."""
    result = whole["vertical_spread"]
    assert len(result.trades) == len(result.days) == 1
    signal, (trade,) = result.signals[0].signal, result.trades
    sold, bought = (next(leg for leg in trade.legs if leg.side == side) for side in ("SELL", "BUY"))
    side = -trade.direction
    assert 0 < (float(sold.strike) - signal.price) * side < (float(bought.strike) - signal.price) * side
    assert trade.width == abs(sold.strike - bought.strike)
    assert trade.credit > 0
