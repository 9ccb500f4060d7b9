from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.spread_day import CALENDAR, DAY, changed, poisoned, quotes, request, walk, world

from htbot.backtest.day_loop import play_session
from htbot.backtest.spread_request import SpreadResult
from htbot.backtest.spread_run import SpreadRun, run_spreads
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import Right
from htbot.domain.orders import Purpose
from htbot.domain.recorded import OptionSeries
from htbot.marketdata.sessions import trading_window
from htbot.matching.fees import Plan
from htbot.strategies.base import Answer, Look, Measures
from htbot.strategies.spx_breakout import SpxBreakout

BARS = walk()
SESSION = CALENDAR.on(DAY)
assert SESSION is not None
OPENS = SESSION.opens


@pytest.fixture(scope="module")
def result() -> SpreadResult:
    return run_spreads(request(world(BARS)))


def test_a_day_has_entries_and_exits(result: SpreadResult) -> None:
    assert result.trades
    assert len(result.fills) == 4 * len(result.trades)
    assert {one.purpose for one in result.intents} == {Purpose.ENTRY, Purpose.EXIT}
    assert [one.accepted for one in result.signals].count(True) == len(result.trades)
    assert result.days == (DAY,)
    assert len(result.bars) == 42


def test_the_result_of_a_trade_is_the_cash_of_its_fills(result: SpreadResult) -> None:
    by_trade = {one.ref: one.trade_id for one in result.intents}
    for trade in result.trades:
        own = [fill for fill in result.fills if by_trade[fill.ref] == trade.id]
        cash = -sum((fill.signed_quantity * fill.price * fill.multiplier for fill in own), Decimal(0))
        fees = sum((fill.commission or Decimal(0) for fill in own), Decimal(0))
        assert (trade.gross_pnl, trade.commissions, trade.net_pnl) == (cash, fees, cash - fees)
        assert fees > 0
    assert result.net_pnl == sum((trade.net_pnl for trade in result.trades), Decimal(0))


def test_the_same_request_gives_the_same_result(result: SpreadResult) -> None:
    assert run_spreads(request(world(BARS))) == result


class Nervous(SpxBreakout):
    """Raises at every look from an instant on."""

    def decide(self, look: Look, measures: Measures) -> Answer:
        if look.as_of >= OPENS + timedelta(minutes=60):
            raise ValueError("no idea")
        return super().decide(look, measures)


def test_one_that_raises_decides_nothing_and_the_day_goes_on(result: SpreadResult) -> None:
    """As live: its look leaves nothing behind and says why, what is held is guarded, and it is asked again."""
    calm = request(world(BARS))
    nervous = run_spreads(replace(calm, strategy=Nervous(calm.strategy.config)))
    at = OPENS + timedelta(minutes=60)
    assert [one for one in nervous.evaluations if one.as_of < at] == [
        one for one in result.evaluations if one.as_of < at
    ]
    assert {one.why_not for one in nervous.evaluations if one.as_of >= at} == {"failed: ValueError: no idea"}
    assert len(nervous.evaluations) == len(result.evaluations)
    assert nervous.trades == tuple(trade for trade in result.trades if trade.opened_at < at)
    assert nervous.trades, "there was something to guard"


@pytest.mark.parametrize("minutes", [35, 62.5, 122])
def test_no_decision_knows_what_comes_after_it(result: SpreadResult, minutes: float) -> None:
    """Rows from a bar's start on are noise: nothing that was decided until then changes, whatever comes after does."""
    cut = OPENS + timedelta(minutes=minutes - minutes % 5)
    other = run_spreads(request(world(poisoned(BARS, cut))))

    assert decided(other, cut) == decided(result, cut)
    assert decided(other, cut + timedelta(minutes=10)) != decided(result, cut + timedelta(minutes=10))


def test_what_was_known_does_change_decisions(result: SpreadResult) -> None:
    """The control of the test above: the same noise one bar earlier is seen."""
    cut = OPENS + timedelta(minutes=60)
    other = run_spreads(request(world(poisoned(BARS, cut - timedelta(minutes=5)))))
    assert decided(other, cut) != decided(result, cut)


def decided(result: SpreadResult, until: datetime) -> list[object]:
    """Everything that happened before an instant; at the instant itself the next bar's first price is known."""
    return [
        [one for one in result.evaluations if one.as_of < until],
        [one for one in result.signals if one.signal.as_of < until],
        [one for one in result.intents if one.created_at < until],
        [one for one in result.fills if one.executed_at < until],
    ]


def test_an_order_that_travels_longer_is_filled_later(result: SpreadResult) -> None:
    slow = run_spreads(request(world(BARS), latency_s=7.0))
    assert slow.signals[0].signal == result.signals[0].signal
    first = slow.intents[0]
    assert min(fill.executed_at for fill in slow.fills if fill.ref == first.ref) >= first.created_at + timedelta(
        seconds=7
    )
    assert slow.fills[0].executed_at > result.fills[0].executed_at


def test_another_price_plan_costs_otherwise(result: SpreadResult) -> None:
    tiered = run_spreads(request(world(BARS), plan=Plan.TIERED))
    assert tiered.gross_pnl == result.gross_pnl
    assert tiered.commissions != result.commissions


def test_everything_is_modelled_without_recorded_quotes(result: SpreadResult) -> None:
    assert result.modelled_share == 1


def test_recorded_quotes_are_used_where_they_are(result: SpreadResult) -> None:
    """Quotes of one leg are recorded: half of the fills are at them, and the trade says which."""
    leg = next(leg for leg in result.trades[0].legs if leg.side == "SELL")
    series = OptionSeries("SPXW", DAY, leg.strike, Right(leg.right))
    assert SESSION is not None
    price = float(leg.fill)
    recorded = quotes(SESSION, lambda _minute: (price, round(price + 0.1, 2)))
    mixed = run_spreads(request(world(BARS, options={series: recorded})))
    first = next(trade for trade in mixed.trades if any(one.strike == leg.strike for one in trade.legs))
    told = {one.strike: one.modelled for one in first.legs}
    assert told.pop(leg.strike) is False
    assert set(told.values()) == {True}
    assert mixed.modelled_share is not None
    assert 0 < mixed.modelled_share < 1


def test_half_days_end_an_hour_before_their_close(result: SpreadResult) -> None:
    assert SESSION is not None
    window = trading_window(SESSION, request(world(BARS)).strategy.hours)
    assert result.signals
    assert all(one.signal.as_of < window.entry_until for one in result.signals)
    assert all(trade.closed_at <= SESSION.closes - timedelta(minutes=15) for trade in result.trades)


def test_several_days_go_on_with_one_account() -> None:
    before = date(2024, 7, 2)
    days = run_spreads(request(world(BARS, before), first=before, last=DAY))
    assert days.days == (before, DAY)
    assert len({trade.opened_at.date() for trade in days.trades}) == 2
    assert [trade.opened_at for trade in days.trades] == sorted(trade.opened_at for trade in days.trades)
    assert len(days.evaluations) == 780 + 420


def test_the_history_is_read_once() -> None:
    """After the first look the state stands for it: a world with years of history would crawl otherwise."""
    assert SESSION is not None
    market = world(BARS)
    run = SpreadRun(request(market))
    run.begin(SESSION.opens)
    assert len(run.known) == 156
    play_session(market, SESSION, [run])
    assert len(run.known) <= 43


def test_nothing_is_entered_before_it_is_enabled(result: SpreadResult) -> None:
    later = result.signals[0].signal.as_of
    halted = run_spreads(request(world(BARS), enabled_after=later))
    assert all(one.signal.as_of > later for one in halted.signals)
    assert halted.evaluations[0].why_not == "the desk has not enabled trading"


def test_a_daily_loss_ends_the_day_and_closes_what_is_open(result: SpreadResult) -> None:
    asked = request(world(BARS))
    strict = changed(asked, breaker=replace(asked.terms.breaker, daily_loss_usd=Decimal(20)))
    closing, staying = run_spreads(strict), run_spreads(changed(strict, flatten_on_trip=False))

    assert len(closing.halts) == len(staying.halts) == 1
    assert "daily_loss" in closing.halts[0]
    tripped = datetime.fromisoformat(closing.halts[0].split()[0])
    assert closing.trades[-1].exit_reason == "breaker"
    assert tripped <= closing.trades[-1].closed_at <= tripped + timedelta(seconds=15)
    assert "breaker" not in {trade.exit_reason for trade in staying.trades}
    assert all(one.signal.as_of < tripped for one in (*closing.signals, *staying.signals))
    assert any("breaker by daily_loss" in str(one.why_not) for one in closing.evaluations)


@pytest.mark.parametrize("fill", ["close", "next_open"])
def test_fills_at_bars_are_refused(fill: str) -> None:
    with pytest.raises(ConfigurationError, match="a spread has no bar of its own"):
        request(world(BARS), fill=fill)


def test_unknown_fills_and_negative_latency_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="spreads know book"):
        request(world(BARS), fill="best")
    with pytest.raises(ConfigurationError, match="below 0"):
        request(world(BARS), latency_s=-1.0)


def test_days_without_a_session_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no sessions from 2024-07-06 to 2024-07-07"):
        run_spreads(request(world(BARS), first=date(2024, 7, 6), last=date(2024, 7, 7)))


def test_a_symbol_without_prices_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no prices of QQQ"):
        run_spreads(request(world(BARS), symbol="QQQ"))
