"""One transaction, one row in `task_runs`, follow-ups after the commit (RULINGS 38)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.orm import Session
from tests.support import record
from tests.support.desk import World

from htbot.desk.opening import LIVE, require_world
from htbot.domain.errors import Retryable, StopTrading
from htbot.marketdata.clock_state import ClockState, Mode
from htbot.persistence.engine import Database
from htbot.persistence.records import TaskRun
from htbot.persistence.repositories import AlertRepository, TaskRunRepository
from htbot.persistence.states import TaskState
from htbot.services.schedule import EVALUATE_BARS, MARK_PNL, READ_MARKET
from htbot.services.versions import Version, own_version, register
from htbot.tasks import base
from htbot.tasks.base import Message, Run

NAME, FOLLOW_UP = "htbot.tasks.some.thing", "htbot.tasks.some.more"
MESSAGE = Message(record.NOON, 7, "all")


def clock(mode: Mode = Mode.PAPER, speed: float | None = 1.0, market: datetime = record.NOON) -> ClockState:
    return ClockState(market, record.NOON, mode, speed, record.WORLD, record.ACCOUNT, "connected", trading_enabled=True)


@dataclass
class Outbox:
    """Celery as far as the base uses it; notes whether the run was committed when something was sent."""

    database: Database
    sent: list[tuple[str, dict[str, Any], TaskState | None]] = field(default_factory=list)

    def send_task(self, name: str, kwargs: dict[str, Any]) -> None:
        run = stored(self.database)
        self.sent.append((name, kwargs, None if run is None else run.state))


@dataclass
class Worker:
    """The parts of a worker, with a clock that a test sets."""

    database: Database
    state: ClockState | None = None
    host: datetime = record.NOON

    version: Version | None = None
    settings: Any = field(default_factory=lambda: SimpleNamespace(schedule=SimpleNamespace(poll_seconds=30)))

    @property
    def live(self) -> Any:
        return SimpleNamespace(clock=lambda: self.state)

    def host_now(self) -> datetime:
        return self.host


def stored(database: Database) -> TaskRun | None:
    with database.transaction() as session:
        return TaskRunRepository(session).get(NAME, "all", record.NOON)


@pytest.fixture
def worker(database: Database) -> Iterator[Worker]:
    made = Worker(database)
    base.forget_parts()
    base._parts.append(made)
    yield made
    base.forget_parts()


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


def mail(session: Session, key: str = "one") -> None:
    AlertRepository(session).add(record.alert(key))


def mails(database: Database) -> int:
    with database.transaction() as session:
        return len(AlertRepository(session).recent())


def writes(run: Run) -> str:
    mail(run.transaction, f"{run.key}-{mails(run.parts.database)}")
    return "written"


def test_a_run_is_committed_with_its_row(worker: Worker, outbox: Outbox, database: Database) -> None:
    assert base.run(outbox, NAME, writes, MESSAGE) == "written"
    run = stored(database)
    assert run is not None
    assert (run.state, run.spawned, mails(database)) == (TaskState.DONE, (), 1)
    assert run.finished_at is not None


@pytest.mark.fault(1)
def test_the_same_message_twice_changes_nothing(worker: Worker, outbox: Outbox, database: Database) -> None:
    base.run(outbox, NAME, writes, MESSAGE)
    before = stored(database)
    assert base.run(outbox, NAME, writes, MESSAGE) == "duplicate"
    assert (stored(database), mails(database)) == (before, 1)


async def test_another_world_runs_what_the_one_before_it_has_run(world: World, worker: Worker, outbox: Outbox) -> None:
    """A fresh world begins on the same date: from the instant on that it is at, nothing has been run in it."""
    messages = [Message(record.at(minutes), 7, "all") for minutes in (-1, 0, 60)]
    world.now = record.at(0, 7)  # within the instant of the second message
    (await world.desk()).die()
    assert [base.run(outbox, NAME, writes, message) for message in messages] == ["written"] * 3

    (await world.desk()).die()
    assert [base.run(outbox, NAME, writes, message) for message in messages] == ["duplicate"] * 3

    world.broker.world_id = f"{record.WORLD}-1"
    (await world.desk()).die()
    assert [base.run(outbox, NAME, writes, message) for message in messages] == ["duplicate", "written", "written"]

    (await world.desk()).die()
    assert [base.run(outbox, NAME, writes, message) for message in messages] == ["duplicate"] * 3


async def test_a_desk_that_dies_before_its_first_bulletin_leaves_the_time_of_its_world(world: World) -> None:
    """A fresh world may begin earlier than the one before has come to: the next start is no step back."""
    world.now = record.at(120)
    desk = await world.desk()
    await desk.desk.notices.publish_grid(world.now)
    desk.die()

    world.broker.world_id, world.now = f"{record.WORLD}-1", record.at(0)
    (await world.desk()).die()
    again = await world.desk()
    assert again.desk.world_id == f"{record.WORLD}-1"
    again.die()
    world.now = record.at(-2)
    with pytest.raises(StopTrading, match="start it --fresh"):
        await world.desk()


def test_the_first_world_and_a_real_broker_forget_no_run(worker: Worker, outbox: Outbox, database: Database) -> None:
    for name in (record.WORLD, LIVE):
        base.run(outbox, NAME, writes, MESSAGE)
        with database.transaction() as session:
            require_world(session, name, record.NOON)
        assert base.run(outbox, NAME, writes, MESSAGE) == "duplicate"


def test_another_instant_and_another_key_are_other_runs(worker: Worker, outbox: Outbox, database: Database) -> None:
    base.run(outbox, NAME, writes, MESSAGE)
    assert base.run(outbox, NAME, writes, Message(record.at(0.5), 8, "all")) == "written"
    assert base.run(outbox, NAME, writes, Message(record.NOON, 7, "other")) == "written"
    assert mails(database) == 3


def test_eight_copies_at_once_are_one_run(worker: Worker, outbox: Outbox, database: Database) -> None:
    def copy(_number: int) -> str:
        return base.run(outbox, NAME, writes, MESSAGE)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(copy, range(8)))
    assert sorted(answers) == ["duplicate"] * 7 + ["written"]
    assert mails(database) == 1


def test_a_failed_run_leaves_its_reason_only_and_may_run_again(
    worker: Worker, outbox: Outbox, database: Database
) -> None:
    def breaks(run: Run) -> str:
        mail(run.transaction)
        run.follow_ups.append((FOLLOW_UP, "all"))
        raise StopTrading("books are open")

    assert base.run(outbox, NAME, breaks, MESSAGE) == "failed"
    run = stored(database)
    assert run is not None
    assert (run.state, run.error) == (TaskState.FAILED, "StopTrading: books are open")
    assert (mails(database), outbox.sent) == (0, [])
    assert base.run(outbox, NAME, writes, MESSAGE) == "written"
    again = stored(database)
    assert again is not None
    assert (again.state, again.error) == (TaskState.DONE, "")


@pytest.mark.fault(14)
def test_a_database_that_is_away_leaves_no_row(worker: Worker, outbox: Outbox, database: Database) -> None:
    def away(_run: Run) -> str:
        raise Retryable("PostgreSQL did not answer")

    assert base.run(outbox, NAME, away, MESSAGE) == "retryable"
    assert stored(database) is None
    assert base.run(outbox, NAME, writes, MESSAGE) == "written"


def test_follow_ups_are_sent_after_the_commit_and_named_in_the_row(
    worker: Worker, outbox: Outbox, database: Database
) -> None:
    def spawns(run: Run) -> str:
        run.follow_ups += [(FOLLOW_UP, "a"), (FOLLOW_UP, "b")]
        assert outbox.sent == []
        return "two more"

    assert base.run(outbox, NAME, spawns, MESSAGE) == "two more"
    wanted = {"as_of": record.NOON.isoformat(), "step": 7}
    assert outbox.sent == [
        (FOLLOW_UP, {**wanted, "key": "a"}, TaskState.DONE),
        (FOLLOW_UP, {**wanted, "key": "b"}, TaskState.DONE),
    ]
    run = stored(database)
    assert run is not None
    assert run.spawned == ((FOLLOW_UP, "a"), (FOLLOW_UP, "b"))
    with database.transaction() as session:
        assert TaskRunRepository(session).missing([(NAME, "all")], record.NOON) == {(FOLLOW_UP, "a"), (FOLLOW_UP, "b")}


@pytest.mark.fault(5)
def test_a_stale_message_does_nothing(worker: Worker, outbox: Outbox, database: Database) -> None:
    worker.state = clock()
    worker.host = record.at(0, 31)
    assert base.run(outbox, NAME, writes, MESSAGE) == "stale"
    assert (stored(database), mails(database)) == (None, 0)
    worker.host = record.at(0, 30)
    assert base.run(outbox, NAME, writes, MESSAGE) == "written"


@pytest.mark.parametrize(
    ("state", "host_s", "expected"),
    [
        (None, 3600, False),
        (clock(), 30, False),
        (clock(), 30.5, True),
        (clock(speed=60.0), 0.5, False),
        (clock(speed=60.0), 0.6, True),
        (clock(Mode.STEPPED, None, record.at(60)), 3600, False),
    ],
)
def test_age_counts_on_the_market_clock(
    database: Database, state: ClockState | None, host_s: float, expected: bool
) -> None:
    worker = Worker(database, state, record.NOON + timedelta(seconds=host_s))
    assert base.stale(worker, record.NOON) is expected


@pytest.mark.fault(43)
def test_a_worker_of_another_version_originates_nothing(worker: Worker) -> None:
    own = own_version()
    with worker.database.transaction() as session:
        run = Run(record.NOON, 7, "all", session, worker)
        assert base.refused(run) is None
        worker.version = own
        assert base.refused(run) is None
        register(session, "desk:a:1", Version("0.0.1", own.revision), record.NOON)
        assert "restart every process" in (base.refused(run) or "")
        register(session, "desk:a:1", own, record.NOON)
        worker.version = Version(own.code, "0001")
        assert "this process needs 0001" in (base.refused(run) or "")


def test_what_fails_in_part_is_committed_and_told_as_failed(worker: Worker, outbox: Outbox) -> None:
    def work(run: Run) -> str:
        AlertRepository(run.transaction).add(record.alert("kept"))
        run.trouble = "vs: ValueError: no strikes"
        return "signal"

    assert base.run(outbox, NAME, work, MESSAGE) == "signal"  # type: ignore[arg-type]
    run = stored(worker.database)
    assert run is not None
    assert (run.state, run.error) == (TaskState.FAILED, "vs: ValueError: no strikes")
    with worker.database.transaction() as session:
        assert len(AlertRepository(session).recent()) == 1


def test_a_snapshot_of_another_underlying_counts_for_its_own_instant_only(worker: Worker) -> None:
    seen = SimpleNamespace(as_of=record.NOON)
    live: Any = SimpleNamespace(snapshot=lambda symbol: seen if symbol == "SPY" else None)
    parts: Any = SimpleNamespace(live=live)
    with worker.database.transaction() as session:
        for at, symbol, found in ((record.NOON, "SPY", seen), (record.NOON, "QQQ", None), (record.at(1), "SPY", None)):
            assert Run(at, 7, "all", session, parts).published(symbol) is found


ROWS = (READ_MARKET, MARK_PNL, EVALUATE_BARS)


@dataclass
class Turns:
    """What the tasks of an instant do in a stepped world, in the order in which they did it."""

    done: list[str] = field(default_factory=list)
    follow_ups: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    fails: dict[str, Exception] = field(default_factory=dict)

    def work(self, name: str) -> Callable[[Run], str]:
        def work(run: Run) -> str:
            if name in self.fails:
                raise self.fails.pop(name)
            self.done.append(f"{name.rpartition('.')[2]} {run.key}")
            run.follow_ups += self.follow_ups.get(name, [])
            return "done"

        return work


@pytest.fixture
def turns(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Turns:
    made = Turns()
    for name in (*ROWS, FOLLOW_UP):
        monkeypatch.setitem(base._WORKS, name, made.work(name))
    worker.state = clock(Mode.STEPPED, None)
    return made


def missing(database: Database) -> set[tuple[str, str]]:
    with database.transaction() as session:
        return TaskRunRepository(session).missing([(name, "all") for name in ROWS], record.NOON)


def test_what_decides_at_an_instant_of_a_stepped_world_does_so_in_turn(turns: Turns, database: Database) -> None:
    turns.follow_ups = {EVALUATE_BARS: [(FOLLOW_UP, "1/2"), (FOLLOW_UP, "2/2")]}
    assert base.run_in_turn(READ_MARKET, MESSAGE) == "done; done; done; done; done"
    assert turns.done == ["read_market all", "mark_pnl all", "evaluate_bars all", "more 1/2", "more 2/2"]
    assert missing(database) == set()


def test_a_hint_that_is_repeated_makes_up_for_what_was_lost_and_does_nothing_twice(
    turns: Turns, database: Database
) -> None:
    turns.follow_ups = {EVALUATE_BARS: [(FOLLOW_UP, "1/1")]}
    base.run(Outbox(database), READ_MARKET, turns.work(READ_MARKET), MESSAGE)  # its process was killed then
    assert missing(database) == {(MARK_PNL, "all"), (EVALUATE_BARS, "all")}
    base.run_in_turn(READ_MARKET, MESSAGE)
    assert turns.done == ["read_market all", "mark_pnl all", "evaluate_bars all", "more 1/1"]
    assert base.run_in_turn(READ_MARKET, MESSAGE) == "; ".join(["duplicate"] * 4)
    assert len(turns.done) == 4


def test_what_could_not_be_done_is_not_overtaken(turns: Turns, database: Database) -> None:
    turns.fails = {MARK_PNL: Retryable("PostgreSQL did not answer")}
    assert base.run_in_turn(READ_MARKET, MESSAGE) == "done; retryable"
    assert missing(database) == {(MARK_PNL, "all"), (EVALUATE_BARS, "all")}
    assert base.run_in_turn(READ_MARKET, MESSAGE) == "duplicate; done; done"
    assert turns.done == ["read_market all", "mark_pnl all", "evaluate_bars all"]


def test_what_fails_holds_nobody_up(turns: Turns, database: Database) -> None:
    turns.fails = {READ_MARKET: StopTrading("books are open")}
    assert base.run_in_turn(READ_MARKET, MESSAGE) == "failed; done; done"
    assert missing(database) == set()


def test_what_failed_is_not_decided_again_after_the_rest_of_its_instant(turns: Turns, database: Database) -> None:
    turns.fails = {READ_MARKET: StopTrading("books are open")}
    assert base.run_in_turn(READ_MARKET, MESSAGE) == "failed; done; done"
    assert base.run_in_turn(READ_MARKET, MESSAGE) == "; ".join(["duplicate"] * 3), "the hint is repeated each second"
    assert turns.done == ["mark_pnl all", "evaluate_bars all"]
    assert missing(database) == set()
