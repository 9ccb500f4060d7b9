"""Instants, barriers, doorbells and sessions that come and go (ARCHITECTURE section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from tests.support import record
from tests.support.broker import UNDERLYING_ID
from tests.support.desk import BorrowedThread, Running, World
from tests.support.waiting import PATIENCE_S, settled

from htbot.adapters.live import Step
from htbot.desk import barrier as barriers
from htbot.desk import pace as paces
from htbot.desk.barrier import Barrier
from htbot.desk.clock import DeskClock
from htbot.desk.doorbell import Bell, Doorbell
from htbot.desk.pace import PacedPace, SteppedPace
from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.orders import IntentState
from htbot.domain.trades import TradeState
from htbot.marketdata.clock_state import Mode, step_number
from htbot.marketdata.messages import ConnectionMessage, QuoteMessage, TimeMessage
from htbot.persistence.listener import COMMANDS, HALTS, INTENTS, TASKS
from htbot.persistence.repositories import HaltRepository, HaltRequest, TaskRunRepository
from htbot.services.schedule import ScheduleRow

# --- the stepped pace -------------------------------------------------------------------------------------------------


@dataclass
class NoBarrier:
    """A barrier at which nobody is waited for."""

    waited: list[datetime] = field(default_factory=list)

    async def wait(self, as_of: datetime) -> None:
        self.waited.append(as_of)


async def driven(running: Running, barrier: NoBarrier, *instants: datetime) -> list[datetime]:
    """The instants that the desk has answered, each told like the gateway tells it."""
    answered: list[datetime] = []
    running.session.request_time = lambda: answered.append(running.desk.clock.now())  # type: ignore[method-assign]
    inbox = running.desk.parts.inbox
    while not inbox.empty():
        inbox.get_nowait()
    for instant in instants:
        inbox.put_nowait(TimeMessage(instant))
    inbox.put_nowait(ConnectionMessage(connected=False, text="socket closed"))
    await SteppedPace(barrier).drive(running.desk)
    return answered


async def test_every_instant_is_answered_once_and_decided_at_the_grid_only(world: World) -> None:
    running, barrier = await world.desk(), NoBarrier()
    instants = [record.at(2, seconds) for seconds in (0, 7, 30, 30, 41, 60)]
    assert await driven(running, barrier, *instants) == instants
    assert barrier.waited == [record.at(2), record.at(2.5), record.at(3)], "a sub-step decides nothing again"
    assert [snapshot.as_of for snapshot in running.live.snapshots] == barrier.waited


async def test_what_was_decided_at_an_instant_is_sent_before_it_is_answered(world: World) -> None:
    running, barrier = await world.desk(), NoBarrier()
    intent = world.enter()

    async def decide(as_of: datetime) -> None:
        assert running.session.placed == []
        barrier.waited.append(as_of)

    barrier.wait = decide  # type: ignore[method-assign]
    sent_at: list[datetime] = []
    running.session.on_place = lambda *_order: sent_at.append(running.desk.clock.now())
    answered = await driven(running, barrier, record.at(1, 30))
    assert (sent_at, answered) == ([record.at(1, 30)], [record.at(1, 30)])
    assert running.session.placed[0][0] == intent.ref


# --- the barrier ------------------------------------------------------------------------------------------------------

ROWS = (ScheduleRow("first", 30), ScheduleRow("second", 60))


@dataclass
class Hints:
    """The steps that were told; each may be answered with task runs."""

    steps: list[Step] = field(default_factory=list)
    answer: Any = None

    async def publish_step(self, step: Step) -> None:
        self.steps.append(step)
        if self.answer is not None:
            self.answer(step)


class Door:
    """A doorbell without a database."""

    def __init__(self) -> None:
        self.bells = {TASKS: Bell()}

    def bell(self, channel: str) -> Bell:
        return self.bells[channel]

    async def ensure(self) -> None:
        return None


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> Hints:
    monkeypatch.setattr(barriers, "HINT_EVERY_S", 0.05)
    return Hints()


def barrier_of(world: World, hints: Hints, door: Door) -> Barrier:
    thread = BorrowedThread("barrier", world.database)
    world.threads.append(thread)
    return Barrier(hints, thread, ROWS, door)


def end(world: World, task: str, *spawned: tuple[str, str], as_of: datetime = record.NOON) -> None:
    with world.database.transaction() as session:
        runs = TaskRunRepository(session)
        runs.begin(task, "all", as_of)
        runs.finish(task, "all", as_of, spawned)


async def test_a_step_is_over_when_every_run_and_every_follow_up_has_ended(world: World, hints: Hints) -> None:
    door = Door()
    rounds = iter([("first", ("more", "all")), ("second",), ("more",)])

    def answer(_step: Step) -> None:
        task, *spawned = next(rounds)
        end(world, task, *spawned)
        door.bell(TASKS).ring()

    hints.answer = answer
    await barrier_of(world, hints, door).wait(record.NOON)
    assert [step.attempt for step in hints.steps] == [0, 1, 2]
    assert {(step.number, step.as_of) for step in hints.steps} == {(step_number(record.NOON), record.NOON)}


async def test_only_rows_that_are_due_are_waited_for(world: World, hints: Hints) -> None:
    hints.answer = lambda step: end(world, "first", as_of=step.as_of)
    await barrier_of(world, hints, Door()).wait(record.at(0.5))
    await barrier_of(world, hints, Door()).wait(record.at(0, 7))
    assert [step.as_of for step in hints.steps] == [record.at(0.5)]


async def test_a_run_that_failed_has_ended(world: World, hints: Hints) -> None:
    def answer(step: Step) -> None:
        end(world, "first")
        with world.database.transaction() as session:
            TaskRunRepository(session).fail("second", "all", step.as_of, "boom")

    hints.answer = answer
    await barrier_of(world, hints, Door()).wait(record.NOON)


async def test_who_never_ends_is_named(world: World, hints: Hints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barriers, "FAIL_AFTER_S", 0.1)
    hints.answer = lambda _step: end(world, "first")
    with pytest.raises(StopTrading, match=r"waiting for second\(all\)"):
        await barrier_of(world, hints, Door()).wait(record.NOON)


# --- the doorbell -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def doorbell(database_url: str) -> AsyncIterator[Doorbell]:
    made = Doorbell(database_url, "desk:test")
    await made.ensure()
    yield made
    made.close()


async def rung(world: World, doorbell: Doorbell) -> set[str]:
    """Which bells have rung by what was committed up to now: announcements come in the order of commits."""
    last = doorbell.bell(TASKS)
    assert not last.is_set()
    with world.database.transaction() as session:
        session.execute(text(f"NOTIFY {TASKS}"))
    await settled(last.is_set)
    last.clear()
    return {channel for channel in (INTENTS, COMMANDS, HALTS) if doorbell.bell(channel).is_set()}


async def test_committed_rows_ring_their_bell(world: World, doorbell: Doorbell) -> None:
    assert await rung(world, doorbell) == set()
    world.enter()
    assert await rung(world, doorbell) == {INTENTS}
    with world.database.transaction() as session:
        HaltRepository(session).set(HaltRequest("cli", "lunch", "user:1", world.now))
    assert await rung(world, doorbell) == {INTENTS, HALTS}


@pytest.mark.fault(6)
async def test_a_second_desk_on_the_login_ends_with_a_reason(database_url: str, doorbell: Doorbell) -> None:
    second = Doorbell(database_url, "desk:test")
    with pytest.raises(StopTrading, match="another desk on this login runs: htbot pid "):
        await second.ensure()
    await doorbell.ensure()
    other = Doorbell(database_url, "desk:another")
    await other.ensure()
    other.close()
    doorbell.close()
    await second.ensure()
    second.close()


async def test_a_lost_connection_rings_every_bell_and_is_made_again(world: World, doorbell: Doorbell) -> None:
    with world.database.transaction() as session:
        session.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'htbot-listener'")
        )
    await settled(lambda: all(doorbell.bell(channel).is_set() for channel in (INTENTS, TASKS, COMMANDS, HALTS)))
    for channel in (INTENTS, TASKS, COMMANDS, HALTS):
        doorbell.bell(channel).clear()
    await doorbell.ensure()
    world.enter()
    assert await rung(world, doorbell) == {INTENTS}


@pytest.mark.fault(10)
async def test_without_a_database_the_desk_polls() -> None:
    lonely = Doorbell("postgresql://nobody@127.0.0.1:1/none", "desk:test")
    await lonely.ensure()
    lonely.close()


# --- the paced pace ---------------------------------------------------------------------------------------------------


class Host:
    """Monotonic time that goes on by itself at each look, so that nothing has to be waited for."""

    def __init__(self, step_s: float) -> None:
        self.seconds, self.step_s = 1000.0, step_s

    def __call__(self) -> float:
        self.seconds += self.step_s
        return self.seconds


class Restless(PacedPace):
    """Looks again at once."""

    IDLE_S = 0.005
    SHOW_S = 0.005


class Bells:
    """A doorbell that a test rings."""

    def __init__(self) -> None:
        self.bells = {channel: Bell() for channel in (INTENTS, TASKS, COMMANDS, HALTS)}
        self.held: list[str] = []

    async def hold(self, account: str) -> None:
        self.held.append(account)

    def bell(self, channel: str) -> Bell:
        return self.bells[channel]

    async def ensure(self) -> None:
        return None


async def paced(world: World) -> Running:
    """A desk whose market time runs as fast as the host's."""
    return await world.desk(clock=DeskClock(Mode.PAPER, 1.0))


async def test_a_bell_wakes_the_paced_desk_and_the_order_leaves(world: World) -> None:
    running, bells = await paced(world), Bells()
    world.enter()
    running.desk.parts.watch.on_ticks({record.SHORT.con_id, record.LONG.con_id}, running.desk.clock.now())
    running.session.on_place = lambda *_order: asyncio.get_running_loop().call_soon(running.session.hang_up)
    bells.bell(INTENTS).ring()
    await asyncio.wait_for(PacedPace(bells).drive(running.desk), PATIENCE_S)
    assert len(running.session.placed) == 1
    assert running.desk.connection == "lost"
    assert running.live.clocks, "market time was published"


async def test_each_account_is_locked(world: World) -> None:
    world.account, world.more_accounts = record.ACCOUNT, ("DU1000002",)
    world.broker.more_accounts["DU1000002"] = {}
    running, bells = await paced(world), Bells()
    running.session.hang_up()
    await asyncio.wait_for(Restless(bells).drive(running.desk), PATIENCE_S)
    assert bells.held == [record.ACCOUNT, "DU1000002"]


async def test_prices_are_shown_between_two_instants_and_again_when_they_change(world: World) -> None:
    running = await paced(world)
    shown = running.live.tickers

    def moves(price: float) -> None:
        world.broker.quotes[UNDERLYING_ID] = (price, price)
        running.desk.parts.watch.on_ticks({UNDERLYING_ID}, running.desk.clock.now())

    async def until_shown(price: float) -> None:
        while not shown or shown[-1].spot != price:  # noqa: ASYNC110 - the recorder has no bell
            await asyncio.sleep(0.001)

    driving = asyncio.ensure_future(Restless(Bells()).drive(running.desk))
    for price in (4150.0, 4151.0):
        moves(price)
        await asyncio.wait_for(until_shown(price), PATIENCE_S)
    running.session.hang_up()
    await asyncio.wait_for(driving, PATIENCE_S)
    for before, after in pairwise(shown):
        assert after.spot != before.spot or after.as_of - before.as_of >= timedelta(seconds=1)


async def test_a_quote_that_crosses_the_stop_sends_the_exit_at_once(world: World) -> None:
    stepped = await world.desk()
    intent = await stepped.opened()
    stepped.die()
    running, bells = await paced(world), Bells()
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    running.session.on_place = lambda *_order: asyncio.get_running_loop().call_soon(running.session.hang_up)
    running.session.sink(QuoteMessage(frozenset({record.SHORT.con_id, record.LONG.con_id})))
    await asyncio.wait_for(PacedPace(bells).drive(running.desk), PATIENCE_S)
    await running.desk.ledger.settle()
    [exit_] = world.exits(intent.trade_id)
    assert running.session.placed[0][0] == exit_.intent.ref


async def test_what_fails_while_a_quote_is_heard_ends_the_hearing_and_not_the_session(world: World) -> None:
    running = await paced(world)

    def look(*_args: object) -> int:
        raise ConnectionError("broken")

    running.desk.guard.look = look  # type: ignore[method-assign]
    driving = asyncio.ensure_future(Restless(Bells()).drive(running.desk))
    while running.desk.parts.inbox.listener is None:  # noqa: ASYNC110 - it has no bell
        await asyncio.sleep(0.001)
    running.session.sink(QuoteMessage(frozenset({record.SHORT.con_id})))
    with pytest.raises(ConnectionError, match="broken"):
        await asyncio.wait_for(driving, PATIENCE_S)
    assert running.desk.parts.inbox.listener is None


@pytest.mark.parametrize("error", [Retryable("no lines"), StopTrading("no contract")])
async def test_books_are_compared_whatever_becomes_of_the_lines(world: World, error: Exception) -> None:
    running = await paced(world)

    async def fails(_now: datetime) -> None:
        raise error

    async def compared(_now: datetime, _cause: str) -> bool:
        running.session.hang_up()
        return True

    running.desk.follow_lines, running.desk.reconcile = fails, compared  # type: ignore[method-assign, assignment]
    await asyncio.wait_for(Restless(Bells()).drive(running.desk), PATIENCE_S)
    assert running.desk.connection == "lost"


@pytest.mark.fault(20)
async def test_a_broker_that_is_silent_for_fifteen_seconds_is_left(world: World) -> None:
    """FAULTS 20: a half-open socket."""
    running = await paced(world)
    running.session.deaf = True
    while not running.desk.parts.inbox.empty():
        running.desk.parts.inbox.get_nowait()
    host = Host(1.0)
    started = host.seconds
    await asyncio.wait_for(Restless(Bells(), host).drive(running.desk), PATIENCE_S)
    assert not running.session.connected
    assert 15 < host.seconds - started < 30


# --- sessions that come and go ----------------------------------------------------------------------------------------


class Failing:
    """A desk whose broker answers as a script says."""

    def __init__(self, *script: Exception | None) -> None:
        self.script = list(script)
        self.connection, self.reason = "connecting", "starting"
        self.seen: list[str] = []
        self.parts = SimpleNamespace(session=SimpleNamespace(disconnect=lambda: self.seen.append("disconnect")))
        self.orders = SimpleNamespace(doubt_all=lambda why: self.seen.append(f"doubt: {why}"))
        self.ledger = SimpleNamespace(run=asyncio.Event().wait)
        self.notices = SimpleNamespace(publish_clock=self.publish_clock)
        self.upkeep = SimpleNamespace(look_at_outage=lambda: self.seen.append("away"))
        self.clock = SimpleNamespace(known=False)
        self.trading = SimpleNamespace(hold=SimpleNamespace(keeps_away=self.keeps_away))

    async def keeps_away(self, _now: datetime) -> bool:
        return False

    async def begin(self) -> None:
        self.seen.append("begin")

    async def connect(self) -> None:
        failure = self.script.pop(0)
        if failure is not None:
            raise failure
        self.connection, self.reason = "connected", None

    async def publish_clock(self) -> None:
        self.seen.append(f"{self.connection}: {self.reason}")

    def tell_connection(self, *, connected: bool, detail: str) -> None:
        self.seen.append(f"mail {connected}: {detail}")


@dataclass
class Drives:
    """A pace that ends each session as a script says."""

    script: list[Exception | None]

    async def drive(self, desk: Failing) -> None:
        desk.seen.append("drive")
        ending = self.script.pop(0)
        if ending is not None:
            raise ending


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "_RECONNECT_FIRST_S", 0.001)
    monkeypatch.setattr(paces, "_RECONNECT_LONGEST_S", 0.002)


@pytest.mark.fault(19)
@pytest.mark.fault(10)
async def test_it_tries_until_somebody_answers_and_says_so(pauses: None) -> None:
    desk = Failing(Retryable("no IB gateway"), ConnectionError("refused"), None)
    with pytest.raises(StopTrading, match="enough"):
        await paces.run(desk, Drives([StopTrading("enough")]))
    assert desk.seen == ["begin", "away", "down: no IB gateway", "away", "down: refused", "drive"]


async def test_a_broken_session_leaves_doubt_is_told_and_begun_again(pauses: None) -> None:
    desk = Failing(None, None)
    with pytest.raises(StopTrading):
        await paces.run(desk, Drives([ConnectionError("reset"), StopTrading("enough")]))
    assert desk.seen == [
        "begin",
        "drive",
        "disconnect",
        "mail False: the session broke or went silent",
        "doubt: session ended",
        "mail True: reconnected",
        "drive",
    ]


async def test_a_whole_stepped_trade_through_the_pace(world: World) -> None:
    """Decided, sent, filled, stopped, closed: driven by markers alone."""
    running = await world.desk()
    intent = world.enter()
    barrier = NoBarrier()
    world.broker.now = running.desk.clock.now

    def answer() -> None:
        """The gateway: fills what stands, moves the market, then the clock."""
        at = running.desk.clock.now()
        for order in [order for order in world.broker.orders if order.working]:
            world.broker.fill(order.intent.ref)
            world.broker.report_commissions(order.intent.ref)
        if at == record.at(2):
            world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
        if at < record.at(3):
            running.session.sink(TimeMessage(at + (record.at(0.5) - record.NOON)))
        else:
            running.session.hang_up()

    running.session.request_time = answer  # type: ignore[method-assign]
    running.session.sink(TimeMessage(record.at(1, 30)))
    await SteppedPace(barrier).drive(running.desk)
    assert [world.state(stored.intent.ref) for stored in world.exits(intent.trade_id)] == [IntentState.FILLED]
    trade = world.trade(intent.trade_id)
    assert (trade.state, world.broker.held, world.halts()) == (TradeState.CLOSED, {}, [])
    assert len(running.session.placed) == 2
    shown = running.live.tickers
    assert [ticker.as_of for ticker in shown] == [snapshot.as_of for snapshot in running.live.snapshots]
    assert {record.SHORT.con_id, record.LONG.con_id} <= shown[-1].quotes.keys() | shown[-2].quotes.keys()
