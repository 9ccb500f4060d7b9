from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.broker import UNDERLYING_ID, FakeBroker, FakeSession, listed
from tests.support.record import ACCOUNT, DAY, NOON, WORLD, at

from htbot.bootstrap.desk import history_days
from htbot.desk.watch import LINES_WITHIN_S, MarketWatch, Standing, WatchPlan
from htbot.domain.bars import Bar
from htbot.domain.errors import StopTrading
from htbot.domain.instruments import UNDERLYINGS
from htbot.marketdata.chain_window import ChainNeed
from htbot.marketdata.snapshot import AccountState

PLAN = WatchPlan(UNDERLYINGS["SPX"], 5, 3, strikes_out=2, sessions_of=history_days)
NEED = ChainNeed(2, NOON, at(300))
PUT, CALL = 41501, 41500


class Host:
    """A monotonic clock that a test sets."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def broker() -> FakeBroker:
    made = FakeBroker(ACCOUNT, lambda: NOON, options=listed(DAY, range(4000, 4305, 5)))
    made.quotes |= {UNDERLYING_ID: (4149.5, 4150.5), PUT: (5.0, 5.2)}
    return made


@pytest.fixture
def session(broker: FakeBroker) -> FakeSession:
    return FakeSession(broker, 1, lambda _message: None)


async def started(session: FakeSession, *, exact: bool = True, **changes: Any) -> MarketWatch:
    watch = MarketWatch(PLAN, exact=exact, **changes)
    await watch.start(session, NOON)
    return watch


def standing(*held: int) -> Standing:
    state = AccountState(net_liquidation=Decimal(100_000))
    return Standing(WORLD, connected=True, accounts={ACCOUNT: state}, held=frozenset(held))


async def test_it_is_of_no_use_before_the_broker_has_resolved_it() -> None:
    with pytest.raises(StopTrading, match="SPX was used before"):
        _ = MarketWatch(PLAN, exact=True).contract


async def test_the_underlying_is_streamed_from_the_start(session: FakeSession) -> None:
    watch = await started(session)
    assert session.subscribed == {UNDERLYING_ID}
    assert watch.spot(session, NOON) == 4150.0
    assert watch.watching_since == NOON


async def test_the_chain_is_streamed_while_it_is_needed_and_held_legs_always(session: FakeSession) -> None:
    watch = await started(session)
    await watch.follow(session, NEED, {77: "SPX"}, at(-5))
    assert {UNDERLYING_ID, 77, PUT, CALL} <= session.subscribed
    assert len(session.subscribed) == 2 + 2 * (2 + 2 * 5)
    await watch.follow(session, NEED, {77: "SPX"}, at(300))
    assert session.subscribed == {UNDERLYING_ID, 77}
    await watch.follow(session, None, {}, at(301))
    assert session.subscribed == {UNDERLYING_ID}


async def test_the_window_follows_the_spot(session: FakeSession, broker: FakeBroker) -> None:
    watch = await started(session)
    await watch.follow(session, NEED, {}, NOON)
    broker.quotes[UNDERLYING_ID] = (4199.5, 4200.5)
    await watch.follow(session, NEED, {}, at(1))
    assert 4235 * 10 not in session.subscribed
    assert {4230 * 10, 4195 * 10 + 1} <= session.subscribed
    assert 4115 * 10 + 1 not in session.subscribed


async def test_no_chain_is_taken_without_a_spot_and_nothing_is_ready(session: FakeSession, broker: FakeBroker) -> None:
    broker.quotes.clear()
    watch = await started(session)
    await watch.follow(session, NEED, {}, NOON)
    assert session.subscribed == {UNDERLYING_ID}
    assert not watch.ready(session, NOON)


async def test_it_is_ready_when_every_line_has_a_price_or_had_its_time(
    session: FakeSession, broker: FakeBroker
) -> None:
    host = Host()
    watch = await started(session, exact=False, monotonic=host)
    await watch.follow(session, None, {PUT: "SPX", CALL: "SPX"}, NOON)
    assert not watch.ready(session, NOON)
    host.seconds += LINES_WITHIN_S + 0.1
    assert watch.ready(session, NOON)
    host.seconds -= LINES_WITHIN_S
    assert not watch.ready(session, NOON)
    broker.quotes[CALL] = (1.0, 1.2)
    assert watch.ready(session, NOON)


async def test_in_an_exact_world_lines_are_ready_at_the_next_instant(session: FakeSession) -> None:
    watch = await started(session)
    await watch.follow(session, None, {PUT: "SPX", CALL: "SPX"}, NOON)
    assert not watch.ready(session, NOON)
    assert watch.ready(session, at(1))


async def test_in_an_exact_world_every_quote_stands_at_the_marker(session: FakeSession) -> None:
    watch = await started(session)
    quote = watch.quote(session, PUT, at(7))
    assert quote is not None
    assert quote.as_of == at(7)


async def test_an_unchanged_line_stands_while_the_underlying_ticks(session: FakeSession) -> None:
    watch = await started(session, exact=False)
    assert watch.quote(session, PUT, NOON) is None, "it has never ticked"
    watch.on_ticks([PUT], NOON)
    assert watch.quote(session, PUT, at(0, 3)).as_of == NOON  # type: ignore[union-attr]
    watch.on_ticks([UNDERLYING_ID], at(0, 20))
    assert watch.quote(session, PUT, at(0, 21)).as_of == at(0, 20)  # type: ignore[union-attr]
    watch.on_ticks([PUT], at(0, 25))
    assert watch.quote(session, PUT, at(0, 30)).as_of == at(0, 25)  # type: ignore[union-attr]
    assert watch.quote(session, PUT, at(0, 24)).as_of == at(0, 24), "never newer than now"  # type: ignore[union-attr]


async def test_a_line_taken_again_has_to_tick_again(session: FakeSession) -> None:
    watch = await started(session, exact=False)
    await watch.follow(session, None, {PUT: "SPX"}, NOON)
    watch.on_ticks([PUT], NOON)
    await watch.follow(session, None, {}, NOON)
    await watch.follow(session, None, {PUT: "SPX"}, NOON)
    assert watch.quotes(session, [PUT], NOON) == {}


async def test_after_a_reconnect_nothing_stands(session: FakeSession) -> None:
    watch = await started(session, exact=False)
    watch.on_ticks([PUT], NOON)
    await watch.start(session, at(3))
    assert watch.quotes(session, [PUT], at(3)) == {}
    assert watch.watching_since == at(3)


async def test_a_snapshot_has_the_window_the_held_and_the_bars(session: FakeSession) -> None:
    watch = await started(session)
    await watch.follow(session, NEED, {77: "SPX"}, NOON)
    watch.on_bar(Bar("SPX", NOON, 5, 4150, 4152, 4149, 4151, 0))
    first = watch.snapshot(session, at(1), standing(PUT))
    assert (first.symbol, first.spot, first.underlying_con_id) == ("SPX", 4150.0, UNDERLYING_ID)
    assert set(first.quotes) == {UNDERLYING_ID, PUT}
    assert {option.strike for option in first.options} == set(map(Decimal, range(4115, 4185, 5)))
    assert (first.net_liquidation, first.buying_power) == (Decimal(100_000), None)
    assert first.open_bar is not None
    assert (first.last_closed, watch.take_last_closed()) == (None, None)
    watch.settle(at(5))
    closed = watch.take_last_closed()
    assert closed == first.open_bar
    assert watch.snapshot(session, at(5), standing(), last_closed=closed).last_closed == closed
    assert watch.take_last_closed() is None


async def test_forgetting_extremes_begins_the_watch_anew(session: FakeSession) -> None:
    watch = await started(session)
    watch.on_bar(Bar("SPX", NOON, 5, 4150, 4152, 4149, 4151, 0))
    watch.forget_extremes(at(2))
    snapshot = watch.snapshot(session, at(2), standing())
    assert snapshot.watching_since == at(2)
    assert snapshot.open_bar is not None
    assert snapshot.open_bar.seen_high is None


@pytest.mark.fault(32)
@pytest.mark.parametrize("exact", [True, False])
async def test_a_quote_that_jumps_is_not_told_before_it_has_lasted(session: FakeSession, exact: bool) -> None:
    watch = await started(session, exact=exact)
    session.broker.quotes |= {PUT: (6.90, 7.00), UNDERLYING_ID: (4149.0, 4151.0)}

    def told(seconds: float) -> tuple[float | None, float | None]:
        now = NOON + timedelta(seconds=seconds)
        watch.on_ticks([PUT, UNDERLYING_ID], now)
        quote = watch.quote(session, PUT, now)
        assert quote is not None
        return quote.ask, watch.spot(session, now)

    assert told(0) == (7.00, 4150.0)
    session.broker.quotes |= {PUT: (690.0, 700.0), UNDERLYING_ID: (41.49, 41.51)}
    assert told(1) == (7.00, 4150.0)
    assert watch.sieve.rejected == 2
    assert told(3.9) == (7.00, 4150.0)
    assert told(4) == (700.0, 41.5)


# --- prices to show ---------------------------------------------------------------------------------------------------


async def test_a_ticker_is_the_underlying_and_what_is_held(session: FakeSession) -> None:
    assert MarketWatch(PLAN, exact=True).ticker(session, NOON, standing(PUT)) is None  # nobody knows the underlying yet
    session.broker.quotes[CALL] = (4.0, 4.2)
    watch = await started(session)
    await watch.follow(session, NEED, {PUT: "SPX"}, NOON)
    ticker = watch.ticker(session, NOON, standing(PUT))
    assert ticker is not None
    assert (ticker.symbol, ticker.spot, ticker.options, ticker.as_of) == ("SPX", 4150.0, (), NOON)
    assert {con_id: quote.mid for con_id, quote in ticker.quotes.items()} == {UNDERLYING_ID: 4150.0, PUT: 5.1}
    assert set(watch.snapshot(session, NOON, standing(PUT)).quotes) == {UNDERLYING_ID, PUT, CALL}


async def test_whoever_looks_at_prices_changes_no_belief(session: FakeSession) -> None:
    """A jump that is held back for three seconds is held back as long when somebody watches all the time."""
    believed = {}
    for watched in (False, True):
        broker = session.broker
        broker.quotes[PUT] = (5.0, 5.2)
        watch = await started(session)
        await watch.follow(session, NEED, {PUT: "SPX"}, NOON)
        watch.quotes(session, {PUT}, NOON)
        broker.quotes[PUT] = (150.0, 151.0)
        seen = []
        for second in range(8):
            now = NOON + timedelta(seconds=second)
            for tenth in range(10 if watched else 0):
                told = watch.ticker(session, now + timedelta(seconds=tenth / 10), standing(PUT))
                assert told is not None
            if second % 2 == 1:
                seen.append(watch.quotes(session, {PUT}, now)[PUT].bid)
        believed[watched] = (seen, watch.sieve.rejected)
    assert believed[True] == believed[False] == ([5.0, 5.0, 150.0, 150.0], 1)
