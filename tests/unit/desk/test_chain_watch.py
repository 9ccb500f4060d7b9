"""Which chains are quoted, for whom and when; and what the desk tells of underlyings beside the configured one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from tests.support.broker import UNDERLYING_ID, FakeBroker, FakeSession, listed
from tests.support.record import ACCOUNT, DAY, NOON, WORLD, at

from htbot.bootstrap.desk import history_days
from htbot.desk.chain_watch import ChainWatch, chain_needs
from htbot.desk.watch import LINES_WITHIN_S, MarketWatch, Standing, WatchPlan
from htbot.domain.bars import Bar
from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.instruments import UNDERLYINGS, Right, Underlying
from htbot.domain.sessions import Session
from htbot.domain.windows import TradingHours
from htbot.marketdata.chain_window import ChainNeed
from htbot.marketdata.snapshot import AccountState, ListedOption
from htbot.services.option_instances import ChainPlan

SESSION = Session(DAY, datetime(2022, 8, 26, 13, 30, tzinfo=UTC), datetime(2022, 8, 26, 20, tzinfo=UTC))
LATE = TradingHours(time(10), time(15), time(15), time(15, 45))
EARLY = TradingHours(time(9, 45), time(10, 30), time(15), time(15, 30))
SPY_ID = 756733
PLAN = WatchPlan(UNDERLYINGS["SPX"], 5, 10, strikes_out=2, sessions_of=history_days)
VERTICAL = ChainPlan("SPY", 5, 3, EARLY)


def spy_options() -> list[ListedOption]:
    strikes = range(390, 441)
    rights = ((1, Right.CALL), (2, Right.PUT))
    return [
        ListedOption(9000 + 10 * (strike - 390) + place, DAY, Decimal(strike), right, "SPY")
        for strike in strikes
        for place, right in rights
    ]


@pytest.fixture
def broker() -> FakeBroker:
    made = FakeBroker(ACCOUNT, lambda: NOON, options=[*listed(DAY, range(4000, 4305, 5)), *spy_options()])
    made.con_ids["SPY"] = SPY_ID
    made.quotes |= {UNDERLYING_ID: (4149.5, 4150.5), SPY_ID: (414.9, 415.1)}
    made.history["SPY", 5] = [bar(-5), bar(0)]
    return made


@pytest.fixture
def session(broker: FakeBroker) -> FakeSession:
    return FakeSession(broker, 1, lambda _message: None)


def bar(minute: int, close: float = 415.0) -> Bar:
    return Bar("SPY", at(minute), 5, close, close, close, close, 1.0)


def standing(*held: int) -> Standing:
    state = AccountState(net_liquidation=Decimal(100_000), buying_power=Decimal(50_000))
    return Standing(WORLD, connected=True, accounts={ACCOUNT: state}, held=frozenset(held))


async def watching(session: FakeSession, *, exact: bool = True) -> MarketWatch:
    """SPX is configured, and an instance on SPY streams its bars."""
    watch = MarketWatch(PLAN, exact=exact)
    await watch.start(session, NOON)
    watch.series.plans = (VERTICAL,)
    await watch.series.follow(session, {("SPY", 5): 20}, NOON)
    return watch


def need(symbol: str, minute: float) -> ChainNeed | None:
    opens = SESSION.opens.replace(hour=13, minute=30)
    now = opens.replace(minute=0)  # 09:00 New York
    shifted = now.timestamp() + 60 * minute
    plans = [ChainPlan("SPX", 5, 10, LATE), ChainPlan("SPX", 5, 20, EARLY), VERTICAL, ChainPlan("QQQ", 5, 0, LATE)]
    return chain_needs(SESSION, plans, datetime.fromtimestamp(shifted, UTC))[symbol]


def test_of_several_strategies_on_one_underlying_the_widest_that_is_active_counts() -> None:
    assert need("SPX", 39) is None  # 09:39
    steps = [
        [one.strikes_out for one in told.steps()] if (told := need("SPX", minute)) else None
        for minute in (41, 59, 60, 89, 90, 359, 360)
    ]
    assert steps == [[20], [20, 10], [20, 10], [20, 10], [10], [10], None], "and the narrower ones behind it"


def test_an_underlying_is_named_also_while_no_options_are_needed() -> None:
    assert chain_needs(None, [VERTICAL], NOON) == {"SPY": None}
    assert need("QQQ", 100) is None
    assert need("SPY", 100) is None


async def test_a_chain_without_a_spot_is_missing(session: FakeSession) -> None:
    chain = ChainWatch(UNDERLYINGS["SPY"])
    wanted = ChainNeed(3, NOON, at(60))
    await chain.follow(session, wanted, None, NOON)
    assert (chain.missing, chain.window) == (True, ())
    await chain.follow(session, wanted, 415.0, NOON)
    assert not chain.missing
    assert {option.trading_class for option in chain.window} == {"SPY"}
    await chain.follow(session, wanted, None, at(60))
    assert (chain.missing, chain.window) == (False, ())


async def test_another_underlying_is_quoted_with_its_chain_and_told_apart(session: FakeSession) -> None:
    watch = await watching(session)
    wanted = ChainNeed(3, NOON, at(60))
    await watch.follow(session, wanted, {}, NOON, {"SPY": wanted})
    assert {UNDERLYING_ID, SPY_ID} <= session.subscribed
    chain = [option for option in spy_options() if option.con_id in session.subscribed]
    assert {option.strike for option in chain} == set(map(Decimal, range(407, 423)))
    session.broker.quotes |= {option.con_id: (1.0, 1.1) for option in chain}

    own, [other] = watch.snapshot(session, at(1), standing()), watch.others(session, at(1), standing())
    assert (own.symbol, {option.trading_class for option in own.options}) == ("SPX", {"SPXW"})
    assert (other.symbol, other.underlying_con_id, other.spot) == ("SPY", SPY_ID, 415.0)
    assert {option.con_id for option in other.options} == {option.con_id for option in chain}
    assert set(other.quotes) == {SPY_ID, *(option.con_id for option in chain)}
    assert (other.net_liquidation, other.buying_power) == (own.net_liquidation, own.buying_power)
    assert other.trading_enabled
    assert other.watching_since == NOON

    await watch.follow(session, None, {}, at(61), {"SPY": None})
    assert session.subscribed == {UNDERLYING_ID, SPY_ID}
    await watch.follow(session, None, {}, at(62))
    assert session.subscribed == {UNDERLYING_ID}
    assert watch.others(session, at(62), standing()) == []


async def test_its_bar_that_has_closed_is_told_once(session: FakeSession) -> None:
    watch = await watching(session)
    await watch.follow(session, None, {}, NOON, {"SPY": None})
    watch.on_bar(bar(0, 416.0))
    [before] = watch.others(session, at(4), standing())
    assert (before.last_closed, before.open_bar.bar if before.open_bar else None) == (None, bar(0, 416.0))
    watch.settle(at(5))
    [told], [again] = watch.others(session, at(5), standing()), watch.others(session, at(5.5), standing())
    assert told.last_closed is not None
    assert (told.last_closed.bar, again.last_closed) == (bar(0, 416.0), None)


async def test_without_its_spot_only_its_own_strategies_have_to_wait(session: FakeSession) -> None:
    watch = await watching(session)
    del session.broker.quotes[SPY_ID]
    wanted = ChainNeed(3, NOON, at(60))
    await watch.follow(session, wanted, {}, NOON, {"SPY": wanted})
    assert watch.ready(session, at(1))
    [other] = watch.others(session, at(1), standing())
    assert (other.spot, other.trading_enabled) == (None, False)


async def test_its_options_stand_while_it_ticks_itself(session: FakeSession) -> None:
    watch = await watching(session, exact=False)
    await watch.series._adding  # type: ignore[misc]
    wanted = ChainNeed(3, NOON, at(60))
    await watch.follow(session, None, {}, NOON, {"SPY": wanted})
    await watch.follow(session, None, {}, NOON, {"SPY": wanted})
    option = next(iter(session.subscribed - {UNDERLYING_ID, SPY_ID}))
    session.broker.quotes[option] = (1.0, 1.1)
    watch.on_ticks([option, SPY_ID], NOON)
    watch.on_ticks([UNDERLYING_ID], at(1))
    assert watch.quote(session, option, at(1)).as_of == NOON, "the configured underlying says nothing about it"  # type: ignore[union-attr]
    watch.on_ticks([SPY_ID], at(2))
    assert watch.quote(session, option, at(3)).as_of == at(2)  # type: ignore[union-attr]


async def test_a_gap_in_the_data_is_forgotten_for_all(session: FakeSession) -> None:
    watch = await watching(session)
    await watch.follow(session, None, {}, NOON, {"SPY": None})
    watch.on_bar(bar(0, 416.0))
    watch.forget_extremes(at(2))
    [told] = watch.others(session, at(2), standing())
    assert told.watching_since == at(2)
    assert told.open_bar is not None
    assert (told.open_bar.seen_high, told.open_bar.seen_low) == (None, None)


async def test_a_longer_history_of_the_configured_series_is_asked_for_once(session: FakeSession) -> None:
    watch = MarketWatch(PLAN, exact=True)
    session.broker.history["SPX", 5] = [Bar("SPX", at(minute), 5, 1.0, 1.0, 1.0, 1.0, 0.0) for minute in (-10, -5, 0)]
    assert len(await watch.start(session, NOON)) == 2
    watch.settle(NOON)
    await watch.series.follow(session, {("SPX", 5): 600}, NOON)
    assert watch.settle(NOON) == [], "what is there is enough"
    await watch.series.follow(session, {("SPX", 5): 3900}, at(1))
    assert [one.start for one in watch.settle(at(1))] == [at(-10), at(-5)]
    await watch.series.follow(session, {("SPX", 5): 3900}, at(2))
    assert watch.settle(at(2)) == []
    assert watch.series.streamed == frozenset()


async def test_a_wide_instance_on_the_configured_underlying_leaves_the_configured_strategy_its_chain(
    session: FakeSession,
) -> None:
    own, wide = ChainPlan("SPX", 5, 2, LATE), ChainPlan("SPX", 5, 10, LATE)
    needs = chain_needs(SESSION, [own, wide], NOON)
    watch = MarketWatch(replace(PLAN, most_lines=1 + 24), exact=True)
    await watch.start(session, NOON)
    [told] = await watch.follow(session, needs["SPX"], {}, NOON)
    narrowed, lines = "options of SPX are quoted 2 strikes out instead of 10", "with them 41 lines are streamed"
    assert told == f"{narrowed}: {lines}, the broker gives 25 (IB_DATA_LINES)"
    assert len(session.subscribed) == 1 + 24
    snapshot = watch.snapshot(session, at(1), standing())
    assert (snapshot.trading_enabled, len(snapshot.options)) == (True, 24)
    assert await watch.follow(session, needs["SPX"], {}, at(1)) == []
    [left_out] = await watch.follow(session, needs["SPX"], {77: "SPX"}, at(2))
    assert left_out.startswith("options of SPX are not quoted: "), "there is no room for the configured one either"
    assert not watch.snapshot(session, at(3), standing()).trading_enabled


async def test_a_chain_that_there_are_no_lines_for_is_left_out_whole_and_told_once(session: FakeSession) -> None:
    """The configured underlying comes first; what is held is streamed whatever becomes of the chains."""
    wanted, held = ChainNeed(3, NOON, at(60)), {11: "SPX", 12: "SPY"}
    watch = MarketWatch(replace(PLAN, most_lines=32), exact=True)
    await watch.start(session, NOON)
    watch.series.plans = (VERTICAL,)
    await watch.series.follow(session, {("SPY", 5): 20}, NOON)
    need = ChainNeed(2, NOON, at(60))
    told = await watch.follow(session, need, held, NOON, {"SPY": wanted})
    assert told == [
        "options of SPY are not quoted: with them 54 lines are streamed, the broker gives 32 (IB_DATA_LINES)"
    ]
    assert {UNDERLYING_ID, SPY_ID, *held} < session.subscribed
    assert len(session.subscribed) == 4 + 24
    [other] = watch.others(session, at(1), standing())
    assert (other.options, other.trading_enabled, watch.ready(session, at(1))) == ((), False, True)
    assert await watch.follow(session, need, held, at(1), {"SPY": wanted}) == []
    assert await watch.follow(session, None, held, at(2), {"SPY": wanted}) == []
    [other] = watch.others(session, at(3), standing())
    assert (len(other.options), other.trading_enabled) == (26, True), "there is room again"
    assert len(await watch.follow(session, need, held, at(4), {"SPY": wanted})) == 1


async def test_without_lines_for_its_own_chain_nothing_is_ready(session: FakeSession) -> None:
    watch = MarketWatch(replace(PLAN, most_lines=20), exact=True)
    await watch.start(session, NOON)
    assert len(await watch.follow(session, ChainNeed(2, NOON, at(60)), {}, NOON)) == 1
    assert not watch.ready(session, at(1))
    assert session.subscribed == {UNDERLYING_ID}


async def test_what_is_held_and_in_the_chain_takes_one_line(session: FakeSession) -> None:
    watch = MarketWatch(replace(PLAN, most_lines=1 + 24), exact=True)
    await watch.start(session, NOON)
    held = next(option.con_id for option in listed(DAY, [4150]) if option.right is Right.PUT)
    assert await watch.follow(session, ChainNeed(2, NOON, at(60)), {held: "SPX"}, NOON) == []
    assert len(session.subscribed) == 1 + 24


async def test_fresh_lines_of_one_chain_hold_up_nobody_else(session: FakeSession) -> None:
    host = Host()
    watch = MarketWatch(PLAN, exact=False, monotonic=host)
    await watch.start(session, NOON)
    watch.series.plans = (VERTICAL,)
    await watch.series.follow(session, {("SPY", 5): 20}, NOON)
    await watch.series._adding  # type: ignore[misc]
    wanted, own_ids = ChainNeed(3, NOON, at(60)), [option.con_id for option in listed(DAY, range(4000, 4305, 5))]

    def enabled() -> tuple[bool, list[bool]]:
        own = watch.snapshot(session, at(1), standing())
        return own.trading_enabled, [one.trading_enabled for one in watch.others(session, at(1), standing())]

    await watch.follow(session, wanted, {}, NOON, {"SPY": None})
    assert enabled() == (False, [True]), "the configured chain has no prices yet, SPY has its own"
    session.broker.quotes |= dict.fromkeys(own_ids, (1.0, 1.1))
    assert enabled() == (True, [True])
    await watch.follow(session, wanted, {}, at(1), {"SPY": wanted})
    assert enabled() == (True, [False]), "the options of SPY have none"
    await watch.follow(session, wanted, {77: "SPX"}, at(1), {"SPY": wanted})
    assert enabled() == (False, [False]), "nor has what is held"
    host.seconds += LINES_WITHIN_S + 0.1
    assert enabled() == (True, [True])


async def test_what_is_held_lives_by_the_ticks_of_its_own_underlying(session: FakeSession) -> None:
    """Also while no chain of it is quoted: after its hours, or after a restart."""
    watch = await watching(session, exact=False)
    await watch.series._adding  # type: ignore[misc]
    stream = watch.series.stream("SPY")
    assert stream is not None
    spy_id, leg, own_leg = stream.contract.con_id, 77, 78
    session.broker.quotes |= dict.fromkeys((spy_id, leg, own_leg), (1.0, 1.1))
    await watch.follow(session, None, {leg: "SPY", own_leg: "SPX"}, NOON, {"SPY": None})

    def told() -> list[datetime]:
        return [quote.as_of for quote in watch.quotes(session, [leg, own_leg, spy_id], at(10)).values()]

    watch.on_ticks([leg, own_leg, spy_id], NOON)
    watch.on_ticks([UNDERLYING_ID], at(1))
    assert told() == [NOON, at(1), NOON], "SPX ticks, SPY is silent"
    watch.on_ticks([spy_id], at(2))
    assert told() == [at(2), at(1), at(2)]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("error", [Retryable("error 162"), TimeoutError(), ConnectionError("Not connected")])
async def test_a_list_that_fails_costs_its_own_strategies_alone(
    session: FakeSession, error: Exception, exact: bool
) -> None:
    watch = await watching(session, exact=exact)
    if watch.series._adding is not None:
        await watch.series._adding
    wanted, asked = ChainNeed(3, NOON, at(60)), Lists(session, error)
    told = await watch.follow(session, wanted, {77: "SPX"}, NOON, {"SPY": wanted})
    why = str(error) or "the broker does not answer"
    assert told == [f"options of SPY are not quoted: {why}; asked again every 30 s"]
    assert {UNDERLYING_ID, SPY_ID, 77} < session.subscribed
    session.broker.quotes |= dict.fromkeys(session.subscribed, (1.0, 1.1))
    [other] = watch.others(session, at(1), standing())
    assert (watch.snapshot(session, at(1), standing()).trading_enabled, other.trading_enabled) == (True, False)

    assert await watch.follow(session, wanted, {77: "SPX"}, at(0, 29), {"SPY": wanted}) == []
    assert asked.of == ["SPX", "SPY"], "it is put off"
    assert await watch.follow(session, wanted, {77: "SPX"}, at(0, 30), {"SPY": wanted}) == [], "and told once"
    assert asked.of == ["SPX", "SPY", "SPY"]
    asked.error = None
    assert await watch.follow(session, wanted, {77: "SPX"}, at(1), {"SPY": wanted}) == []
    [other] = watch.others(session, at(2), standing())
    assert len(other.options) == 26


async def test_a_list_that_does_not_come_holds_nobody_up(session: FakeSession) -> None:
    watch = await watching(session, exact=False)
    await watch.series._adding  # type: ignore[misc]
    wanted, asked = ChainNeed(3, NOON, at(60)), Lists(session, None)
    asked.comes = asyncio.Event()
    for second in range(3):
        assert await watch.follow(session, wanted, {77: "SPX"}, at(0, second), {"SPY": wanted}) == []
    assert asked.of == ["SPX", "SPY"], "one question at a time"
    assert 77 in session.subscribed
    assert len(watch.snapshot(session, at(1), standing()).options) == 26
    assert not watch.others(session, at(1), standing())[0].trading_enabled
    asked.comes.set()
    await asyncio.sleep(0)
    await watch.follow(session, wanted, {77: "SPX"}, at(1), {"SPY": wanted})
    assert len(watch.others(session, at(1), standing())[0].options) == 26


async def test_a_broken_invariant_is_no_missing_list(session: FakeSession) -> None:
    chain = ChainWatch(UNDERLYINGS["SPY"])
    Lists(session, StopTrading("superseded"))
    with pytest.raises(StopTrading, match="superseded"):
        await chain.follow(session, ChainNeed(3, NOON, at(60)), 415.0, NOON)


async def test_a_new_session_is_asked_at_once(session: FakeSession) -> None:
    chain, asked = ChainWatch(UNDERLYINGS["SPY"]), Lists(session, TimeoutError())
    for _ in range(2):
        await chain.follow(session, ChainNeed(3, NOON, at(60)), 415.0, NOON)
    asked.error = None
    chain.restart()
    await chain.follow(session, ChainNeed(3, NOON, at(60)), 415.0, NOON)
    assert (asked.of, len(chain.window)) == (["SPY", "SPY"], 26)


class Host:
    """A monotonic clock that a test sets."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Lists:
    """The lists that a session is asked for; those of SPY fail or keep one waiting."""

    def __init__(self, session: FakeSession, error: Exception | None) -> None:
        self.error = error
        self.comes: asyncio.Event | None = None
        self.of: list[str] = []
        self._listed = session.listed_options
        session.listed_options = self._answer  # type: ignore[method-assign]

    async def _answer(self, underlying: Underlying, expiry: date) -> list[ListedOption]:
        self.of.append(underlying.symbol)
        if underlying.symbol == "SPY":
            if self.error is not None:
                raise self.error
            if self.comes is not None:
                await self.comes.wait()
        return await self._listed(underlying, expiry)
