"""Strategies on shares, played in memory as the desk trades them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from tests.support.plain_day import CROSSING, SESSION, play, request, seat, wide
from tests.support.spread_day import CALENDAR, DAY, changed, poisoned, walk, world

from htbot.backtest.parity_compare import compare
from htbot.backtest.plain_parity import rows_of_plain
from htbot.backtest.plain_request import PlainRequest, PlainResult, Seat
from htbot.backtest.plain_seat import SeatState
from htbot.domain.bars import TapeBar
from htbot.domain.errors import ConfigurationError
from htbot.domain.orders import ExitReason, PriceStyle, Purpose
from htbot.domain.trades import TradeState
from htbot.market.replay import ReplayMarket
from htbot.marketdata.tape_bars import TapeCalendar
from htbot.matching.view import FillRules
from htbot.risk.breaker import BreakerLimits
from htbot.strategies.bar_strategy import NONE, Advice, Holding
from htbot.strategies.ma_crossover import MaCrossover, MaCrossoverConfig

BARS = walk(seed=11, price=450.0)


@pytest.fixture(scope="module")
def market() -> ReplayMarket:
    return world(BARS, symbol="SPY")


@pytest.fixture(scope="module")
def asked(market: ReplayMarket) -> PlainRequest:
    return request(market)


@pytest.fixture(scope="module")
def result(asked: PlainRequest) -> PlainResult:
    return play(asked)


def reasons(result: PlainResult) -> set[ExitReason | None]:
    return {trade.exit_reason for trade in result.trades}


def test_a_day_has_trades_of_both_sides_and_ends_flat(result: PlainResult) -> None:
    assert {int(trade.direction) for trade in result.trades} == {1, -1}
    assert {trade.state for trade in result.trades} <= {TradeState.CLOSED, TradeState.VOID}
    assert {ExitReason.STOP_LOSS, ExitReason.PROFIT_TARGET} <= reasons(result)
    assert sum(fill.signed_quantity for fill in result.fills) == 0


def test_every_bar_is_known_at_its_end_and_looked_at_then(result: PlainResult) -> None:
    assert len(result.bars) == 42
    assert list(result.known_at) == [bar.end for bar in result.bars]
    looks = [one.as_of for one in result.evaluations]
    assert looks == [SESSION.opens + timedelta(seconds=30 * number) for number in range(len(looks))]
    made_at = [one.signal.as_of for one in result.signals]
    assert made_at == [(one.signal.bar_start or SESSION.opens) + timedelta(minutes=5) for one in result.signals]


def test_the_same_request_gives_the_same_day(asked: PlainRequest, result: PlainResult) -> None:
    again = play(asked)
    assert again == result
    assert compare(rows_of_plain(result), rows_of_plain(again), SESSION).identical


def test_nothing_that_was_decided_depends_on_what_comes_later(result: PlainResult) -> None:
    cut = SESSION.opens + timedelta(minutes=100)
    other = play(request(world(poisoned(BARS, cut), symbol="SPY")))
    for name, when in (
        ("signals", lambda one: one.signal.as_of),
        ("intents", lambda one: one.created_at),
        ("fills", lambda one: one.executed_at),
        ("evaluations", lambda one: one.as_of),
    ):
        ours, theirs = ([one for one in getattr(each, name) if when(one) < cut] for each in (result, other))
        assert ours == theirs, name
        assert ours, name


def test_a_history_that_is_too_short_is_waited_for_as_live(market: ReplayMarket) -> None:
    """Two bars are on record at the open: it begins with the one that makes five, and enters at none before that."""
    before = max(at for at in BARS if at < SESSION.opens) + timedelta(minutes=5)
    short = replace(seat("fast"), first_bar=before - timedelta(minutes=10), since=None)
    day = play(request(market, short))
    begins = SESSION.opens + timedelta(minutes=15)
    early = [one for one in day.evaluations if one.as_of < begins]
    words = "waits for its history: {} of 5 bars of 5 min are there"
    assert [one.why_not for one in early] == [words.format(2 + number // 10) for number in range(30)]
    assert [one.indicators for one in early] == [{}] * 30
    assert "waits" not in str([one.why_not for one in day.evaluations if one.as_of >= begins])
    assert day.signals
    assert min(one.signal.as_of for one in day.signals) > begins


def test_one_that_begins_by_itself_is_the_one_that_is_told_where_it_began(asked: PlainRequest) -> None:
    itself = play(replace(asked, seats=tuple(replace(one, since=None) for one in asked.seats)))
    assert itself == play(asked)


def test_stops_and_targets_stand_in_one_group_from_the_first_fill_on(result: PlainResult) -> None:
    entered = {fill.ref: fill.executed_at for fill in reversed(result.fills)}
    for trade in (one for one in result.trades if one.state is TradeState.CLOSED):
        own = [one for one in result.intents if one.trade_id == trade.id]
        entry = next(one for one in own if one.purpose is Purpose.ENTRY)
        standing = [one for one in own if one.protective]
        assert [one.style for one in standing] == [PriceStyle.STOP, PriceStyle.TARGET]
        assert {one.group for one in standing} == {f"{trade.id}-{standing[0].ref.rpartition('-')[2]}"}
        assert {one.created_at for one in standing} == {entered[entry.ref]}


def test_what_is_held_at_the_exit_time_leaves_at_the_market_after_its_stop_has_ended(market: ReplayMarket) -> None:
    late = play(request(market, seat("fast", stop_loss_usd="400", profit_target_usd="400", exit_time="10:30")))
    trade = next(one for one in late.trades if one.exit_reason is ExitReason.TIME)
    exits = [one for one in late.intents if one.trade_id == trade.id and one.purpose is Purpose.EXIT]
    at = SESSION.at(10, 30)
    assert [one.style for one in exits if one.created_at < at] == [PriceStyle.STOP, PriceStyle.TARGET]
    asked, sent = (one for one in exits if one.created_at == at)
    assert asked.style is sent.style is PriceStyle.MARKET
    assert [fill.ref for fill in late.fills if fill.executed_at == at] == [sent.ref], "the first one was withdrawn"


def test_without_protective_orders_its_own_signal_leaves_at_once(market: ReplayMarket) -> None:
    bare = play(request(market, seat("fast", stop_loss_usd=None, profit_target_usd=None)))
    own = [trade for trade in bare.trades if trade.exit_reason is ExitReason.SIGNAL]
    assert own
    assert all(trade.closed_at in {one.signal.as_of for one in bare.signals} for trade in own)
    assert not [one for one in bare.intents if one.protective]


def test_a_thin_market_fills_in_parts_and_nothing_is_closed_twice(market: ReplayMarket) -> None:
    rules = FillRules(touch_share=Decimal("0.2"))
    thin = play(request(market, seat("fast", quantity=900), rules=rules, cash_usd=Decimal(10_000_000)))
    entries = [one.ref for one in thin.intents if one.purpose is Purpose.ENTRY]
    assert max(sum(fill.ref == ref for fill in thin.fills) for ref in entries) > 1, "no entry was filled in parts"
    assert {trade.state for trade in thin.trades} <= {TradeState.CLOSED, TradeState.VOID}
    held = 0
    for fill in thin.fills:
        before, held = held, held + fill.signed_quantity
        assert before * held >= 0, "an exit went through zero"


def test_two_seats_on_one_symbol_are_judged_in_order_of_name(market: ReplayMarket) -> None:
    turned = seat("b-second", short_window=2, long_window=5)
    both = play(request(market, turned, seat("a-first")))
    first = [one for one in both.signals if one.signal.as_of == both.signals[0].signal.as_of]
    assert [one.signal.strategy for one in first] == ["a-first", "b-second"]
    refs = [one.ref for one in both.intents if one.created_at == first[0].signal.as_of and one.purpose is Purpose.ENTRY]
    assert [ref.split("-")[1] for ref in refs] == ["a", "b"]
    assert sum(fill.signed_quantity for fill in both.fills) == 0


def test_a_refusal_is_a_signal_without_an_order(market: ReplayMarket) -> None:
    early = seat("fast", entry_end="12:00")
    tight = play(request(market, early, limits_of=partial(wide, max_order_notional_usd=Decimal(10))))
    assert not tight.intents
    assert {str(one.refused_by).partition(":")[0] for one in tight.signals} == {"order_notional"}


def test_a_breaker_that_trips_closes_what_is_held(market: ReplayMarket) -> None:
    tripped = play(request(market, seat("fast", quantity=200), breaker=BreakerLimits(daily_loss_usd=Decimal(10))))
    assert tripped.halts
    assert ExitReason.BREAKER in reasons(tripped) or ExitReason.STOP_LOSS in reasons(tripped)
    at = next(one for one in tripped.halts).partition(" ")[0]
    assert not [one for one in tripped.intents if one.purpose is Purpose.ENTRY and one.created_at.isoformat() > at]


def test_before_it_may_enter_nothing_leaves(asked: PlainRequest) -> None:
    waiting = play(changed(asked, enabled_after=SESSION.closes))
    assert not waiting.intents
    assert {str(one.refused_by).partition(":")[0] for one in waiting.signals} == {"trading_enabled"}


def test_a_wish_that_was_left_undone_is_wished_again(result: PlainResult) -> None:
    state = SeatState(seat("fast"), TapeCalendar(CALENDAR.all()))
    for bar, known_at in zip(result.bars, result.known_at, strict=True):
        state.add([bar], known_at)
    wished = state.look([], SESSION.closes)
    assert wished
    assert state.look([], SESSION.closes) == []
    state.undone = True
    assert state.look([], SESSION.closes) == wished
    assert state.look([], SESSION.closes) == []


class Fragile(MaCrossover):
    """Moving averages that raise from an hour after the open on, or as soon as they hold something."""

    name = "fragile"
    holding = False

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        if (held.side != NONE) if self.holding else bar.session == DAY.toordinal() and bar.minute >= 630:
            raise ZeroDivisionError("no\nvolume")
        return super().on_bar(bar, held)


class FragileWhileHolding(Fragile):
    name = "fragile_while_holding"
    holding = True


def fragile(name: str, kind: type[Fragile] = Fragile, **settings: object) -> Seat:
    config = MaCrossoverConfig.from_mapping(dict(CROSSING) | settings)
    return replace(seat(name), build=lambda: kind(config))


def test_a_strategy_that_raises_is_disabled_alone(market: ReplayMarket, result: PlainResult) -> None:
    both = play(request(market, seat("fast"), fragile("breaks")))
    assert [one for one in both.evaluations if one.strategy == "fast"] == list(result.evaluations)
    assert [one.signal for one in both.signals if one.signal.strategy == "fast"] == [
        one.signal for one in result.signals
    ]
    own = [one for one in both.evaluations if one.strategy == "breaks"]
    told = [one for one in own if (one.why_not or "").startswith("disabled")]
    assert told[0].why_not == "disabled: ZeroDivisionError: no volume"
    assert (told[0].as_of, dict(told[0].indicators)) == (SESSION.at(10, 35), {})
    ended = max((one.closed_at for one in both.trades if one.strategy == "breaks" and one.closed_at), default=None)
    assert own[-1].as_of <= max(told[0].as_of, ended or told[0].as_of), "it is asked only while it holds something"
    assert {one.strategy for one in both.intents if one.created_at > own[-1].as_of} == {"fast"}


def test_what_was_disabled_while_it_holds_something_leaves_and_its_bars_end(market: ReplayMarket) -> None:
    alone = play(request(market, fragile("breaks", FragileWhileHolding)))
    [trade] = alone.trades
    assert trade.state is TradeState.CLOSED, "stop, target and time are the desk's"
    assert trade.closed_at is not None
    failed = [one.as_of for one in alone.evaluations if (one.why_not or "").startswith("disabled")]
    assert len(failed) > 1, "it is folded anew, and fails again, as long as it holds something"
    assert failed[-1] == alone.evaluations[-1].as_of < trade.closed_at + timedelta(seconds=30)
    assert alone.known_at[-1] <= trade.closed_at + timedelta(seconds=30), "nobody streams them any more"
    kept = play(request(market, fragile("breaks", FragileWhileHolding), own_series=("SPY", 5)))
    assert (len(kept.bars), kept.trades) == (42, alone.trades)


def test_what_cannot_be_played_is_refused(market: ReplayMarket) -> None:
    with pytest.raises(ConfigurationError, match="give at least one, each with a name of its own"):
        request(market, seat("fast"), seat("fast"))
    with pytest.raises(ConfigurationError, match="an index is not traded"):
        request(market, seat("fast", symbol="SPX"))
    with pytest.raises(ConfigurationError, match="there are no prices of"):
        play(request(market, seat("fast", symbol="ZZZZ")))
    with pytest.raises(ConfigurationError, match="the market has no sessions from"):
        play(request(market, first=DAY + timedelta(days=400), last=None))


def over_night(gap: float, **settings: object) -> PlainResult:
    """The half day falls, so that it is sold short, and so does the first half hour of the next session after a gap."""
    second = CALENDAR.next_after(DAY)
    assert second is not None
    bars, price = walk(seed=11, first=DAY - timedelta(days=1), last=DAY - timedelta(days=1), price=450.0), 450.0
    for opens, count in ((SESSION.opens, 42), (second.opens, 6)):
        price += gap if opens is second.opens else 0.0
        for number in range(count):
            bar = (price, price + 0.02, price - 0.22, price - 0.2)
            bars[opens + timedelta(minutes=5 * number)] = tuple(round(value, 2) for value in bar)  # type: ignore[assignment]
            price -= 0.2
    chosen = {"exit_time": None, "stop_loss_usd": "60", "profit_target_usd": None} | settings
    return play(request(world(bars, symbol="SPY"), seat("fast", **chosen), last=second.day))


def test_a_stop_stands_over_night_and_fills_at_the_open_of_a_gap() -> None:
    result, second = over_night(15.0), CALENDAR.next_after(DAY)
    assert second is not None
    [trade] = [one for one in result.trades if one.session == DAY and one.exit_reason is ExitReason.STOP_LOSS]
    assert trade.closed_at == second.opens
    assert trade.gross_pnl_usd is not None
    assert trade.gross_pnl_usd < -100, "the gap counts, not the stop's price"
    stops = [one for one in result.intents if one.trade_id == trade.id and one.style is PriceStyle.STOP]
    assert len(stops) == 1, "the stop of the day before is the one that fills"
    assert all(one.created_at < SESSION.closes for one in stops)


def test_what_is_held_for_a_day_leaves_with_the_first_bar_of_the_next() -> None:
    result, second = over_night(0.0, max_hold_days=1), CALENDAR.next_after(DAY)
    assert second is not None
    [trade] = [one for one in result.trades if one.exit_reason is ExitReason.TIME]
    asked = [one for one in result.intents if one.trade_id == trade.id and one.exit_reason is ExitReason.TIME]
    assert (trade.session, asked[0].created_at) == (DAY, second.opens + timedelta(minutes=5))
