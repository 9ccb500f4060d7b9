"""Sources of a halt: any one is enough, what was seen stays, and nothing dead lifts it (RULINGS 13, FAULTS 41, 62)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
import redis
from sqlalchemy.orm import Session
from tests.support import record
from tests.support.desk import BorrowedThread, World
from tests.support.waiting import PATIENCE_S

from htbot.adapters.live import HALT_KEY, LiveReader, LiveWriter
from htbot.desk.halts import NOT_ASKED, NOT_KNOWN, HaltParts, HaltWatch
from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import Retryable
from htbot.domain.orders import IntentState, OrderIntent
from htbot.persistence.engine import Database
from htbot.persistence.repositories import CommandRepository, HaltRepository, HaltRequest
from htbot.persistence.states import HaltKind
from htbot.services.commands import CLOSE_ALL
from htbot.services.halt_journal import HaltJournal
from htbot.services.halt_record import HeldHalt
from htbot.services.versions import Version, own_version

T = TypeVar("T")


class Thread(BorrowedThread):
    """The database as a test wants it: there, away, or silent."""

    def __init__(self, database: Database) -> None:
        super().__init__("halts", database)
        self.away = False
        self.silent: threading.Event | None = None
        self.calls = 0

    async def run(self, work: Callable[[Session], T]) -> T:
        self.calls += 1
        if self.away:
            raise Retryable("PostgreSQL did not answer: refused")
        silent = self.silent
        if silent is not None:
            await asyncio.get_running_loop().run_in_executor(None, silent.wait)
        return await super().run(work)


@dataclass
class Flag:
    """Redis as a test wants it."""

    reason: str | None = None
    away: bool = False
    hangs: bool = False

    async def halt_flag(self) -> str | None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise redis.ConnectionError("refused")
        return self.reason


@dataclass
class Watched:
    """A watch and everything that it looks at."""

    world: World
    thread: Thread
    flag: Flag
    journal: HaltJournal
    version: Version | None = None
    monotonic: float = 0.0

    def start(self, patience_s: float | None = None) -> HaltWatch:
        """The desk begins, perhaps not for the first time."""
        parts = HaltParts(self.journal, self.version, self.flag, patience_s, lambda: self.monotonic)
        return HaltWatch(self.world.stop_file, self.thread, parts)

    async def known(self, halts: HaltWatch) -> None:
        """Look until the record has answered."""
        while not halts._rows_known:
            await halts.refresh(self.world.now)

    def rows(self) -> list[tuple[str, str]]:
        return [(halt.source, halt.reason) for halt in self.world.halts()]


@pytest.fixture
def watched(world: World, tmp_path: Path) -> Watched:
    thread = Thread(world.database)
    world.threads.append(thread)
    return Watched(world, thread, Flag(), HaltJournal(tmp_path / "desk" / "halts.jsonl"))


async def test_redis_rings_and_the_record_and_the_journal_have_it_at_once(watched: Watched) -> None:
    halts = watched.start()
    await halts.refresh(watched.world.now)
    assert halts.entries_halted_by() is None
    watched.flag.reason = "Fed\nat two"
    await halts.refresh(watched.world.now)
    assert watched.rows() == [("redis", "Fed at two")]
    assert halts.entries_halted_by() == "halt by redis: Fed at two"
    for silent in ({"reason": None}, {"away": True}, {"hangs": True}):  # flushed, dead, hanging: nothing is lifted
        watched.flag = Flag(**silent)
        again = watched.start(0.05)
        await watched.known(again)
        assert again.entries_halted_by() == "halt by redis: Fed at two"


@pytest.mark.ruling(13)
async def test_redis_rings_while_the_record_is_away_and_a_restart_keeps_it(watched: Watched) -> None:
    halts = watched.start()
    await halts.refresh(watched.world.now)
    watched.thread.away = True
    watched.flag.reason = "Fed at two"
    await halts.refresh(watched.world.now)
    assert halts.entries_halted_by() == "halt by redis: Fed at two"
    assert watched.journal.path.stat().st_mode & 0o777 == 0o600
    watched.flag.reason = None
    again = watched.start()  # before it has asked anybody
    assert again.entries_halted_by() == "halt by redis: Fed at two"
    watched.thread.away = False
    await again.refresh(watched.world.now)
    assert watched.rows() == [("redis", "Fed at two")]
    assert not watched.journal.path.exists()
    with watched.world.database.transaction() as session:
        HaltRepository(session).clear("cli:ann", watched.world.now)
    assert await again.refresh(watched.world.now)
    assert again.entries_halted_by() is None


async def test_a_halt_that_was_copied_and_lifted_does_not_come_back_from_the_file(watched: Watched) -> None:
    """The desk dies between the commit and the file: the same lines are read again."""
    halts = watched.start()
    halts.halt("signal", "SIGUSR1", by="signal", at=watched.world.now)
    lines = watched.journal.path.read_bytes()
    await halts.refresh(watched.world.now)
    with watched.world.database.transaction() as session:
        HaltRepository(session).clear("cli:ann", watched.world.now)
    watched.journal.path.write_bytes(lines)
    again = watched.start()
    await again.refresh(watched.world.now)
    assert (again.entries_halted_by(), watched.rows()) == (None, [])


async def test_a_torn_line_is_a_halt(watched: Watched) -> None:
    watched.start().halt("signal", "SIGUSR1", by="signal", at=watched.world.now)
    watched.journal.path.write_bytes(watched.journal.path.read_bytes()[:40])
    reason = watched.start().entries_halted_by()
    assert reason is not None
    assert "cannot be read" in reason


async def test_a_full_disk_does_not_let_an_entry_through(watched: Watched, tmp_path: Path) -> None:
    halts = watched.start()
    await halts.refresh(watched.world.now)
    (tmp_path / "desk").write_text("no folder")
    assert halts.halt("signal", "SIGUSR1", by="signal", at=watched.world.now)
    assert halts.entries_halted_by() == "halt by signal: SIGUSR1"
    await halts.refresh(watched.world.now)
    assert watched.rows() == [("signal", "SIGUSR1")]


async def test_sigusr1_halts(watched: Watched) -> None:
    halts = watched.start()
    await halts.refresh(watched.world.now)
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()

    def now() -> datetime:
        heard.set()
        return watched.world.now

    halts.listen_for_signal(loop, now)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        await heard.wait()
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
    assert halts.entries_halted_by() == "halt by signal: SIGUSR1"
    assert len(watched.journal.read()) == 1


async def test_a_record_that_hangs_holds_nobody_up_and_counts_no_more_after_a_second(watched: Watched) -> None:
    halts = watched.start(0.05)
    await watched.known(halts)
    watched.thread.silent = threading.Event()
    try:
        asked = watched.thread.calls
        for _ in range(3):
            await asyncio.wait_for(halts.refresh(watched.world.now), PATIENCE_S)
        assert watched.thread.calls == asked + 1  # one question stands, however often somebody looks
        assert halts.entries_halted_by() is None
        watched.monotonic += 1.01
        assert halts.entries_halted_by() == NOT_KNOWN
        watched.world.stop_file.touch()
        assert halts.entries_halted_by() == f"STOP file {watched.world.stop_file}"
        watched.world.stop_file.unlink()
    finally:
        watched.thread.silent.set()
    watched.thread.silent = None
    await asyncio.wait([halts._reading])
    await halts.refresh(watched.world.now)
    await asyncio.wait([halts._reading])
    assert halts.entries_halted_by() is None
    with watched.world.database.transaction() as session:  # a file that came and went has left its trace
        assert [(halt.source, halt.cleared_by) for halt in HaltRepository(session).recent()] == [
            ("file", "file removed")
        ]


@pytest.mark.ruling(13)
async def test_rows_that_nobody_has_looked_at_for_two_seconds_count_no_more(watched: Watched) -> None:
    halts = watched.start(PATIENCE_S)
    await watched.known(halts)
    watched.monotonic += 2.0
    assert halts.entries_halted_by() is None
    watched.monotonic += 0.01
    assert halts.entries_halted_by() == NOT_ASKED
    assert not await halts.refresh(watched.world.now), "no halt has ended"
    assert halts.entries_halted_by() is None


async def test_looks_of_a_stepped_market_may_be_far_apart(watched: Watched) -> None:
    halts = watched.start()
    await halts.refresh(watched.world.now)
    watched.monotonic += 3600.0
    assert halts.entries_halted_by() is None


@pytest.mark.fault(43)
async def test_a_record_of_another_schema_halts_a_running_desk(watched: Watched) -> None:
    watched.version = own_version()
    halts = watched.start()
    await halts.refresh(watched.world.now)
    assert halts.entries_halted_by() is None
    watched.version = Version(watched.version.code, "9999")
    older = watched.start()
    await older.refresh(watched.world.now)
    assert "needs 9999" in (older.entries_halted_by() or "")


async def test_without_patience_every_answer_is_awaited(watched: Watched) -> None:
    """Stepped market time must not depend on how fast a disk is."""
    halts = watched.start()
    watched.thread.silent = threading.Event()
    looking = asyncio.ensure_future(halts.refresh(watched.world.now))
    await asyncio.sleep(0.2)
    assert not looking.done()
    watched.thread.silent.set()
    await looking
    assert halts.entries_halted_by() is None


async def test_a_trip_that_is_held_is_written_once_with_alert_audit_and_the_close(watched: Watched) -> None:
    halts = watched.start()
    trip = HeldHalt(
        HaltRequest("drawdown", "equity fell", "breaker", watched.world.now, HaltKind.BREAKER, account=record.ACCOUNT),
        figures={"Day's P&L": "-500.00 USD"},
        flatten=True,
    )
    watched.thread.away = True
    assert halts.hold(trip)
    assert not halts.hold(trip)
    await halts.refresh(watched.world.now)
    watched.thread.away = False
    again = watched.start()
    assert again.entries_halted_by() == "breaker by drawdown: equity fell"
    for _ in range(3):
        await again.refresh(watched.world.now)
    assert watched.rows() == [("drawdown", "equity fell")]
    assert watched.world.mails("circuit_breaker") == 1
    with watched.world.database.transaction() as session:
        (command,) = CommandRepository(session).open(CLOSE_ALL)
    assert dict(command.params) == {"scope": record.ACCOUNT, "exit_reason": "breaker"}


async def test_a_second_trip_joins_the_close_that_is_under_way(watched: Watched) -> None:
    halts = watched.start()
    for source in ("drawdown", "daily_loss"):
        request = HaltRequest(source, "lost", "breaker", watched.world.now, HaltKind.BREAKER, account=record.ACCOUNT)
        halts.hold(HeldHalt(request, flatten=True))
        await halts.refresh(watched.world.now)
    with watched.world.database.transaction() as session:
        assert len(CommandRepository(session).open(CLOSE_ALL)) == 1
    assert watched.world.mails("circuit_breaker") == 2


async def test_the_key_in_redis_is_heard_by_a_real_writer(redis_url: str) -> None:
    writer, person = LiveWriter(redis_url), LiveReader(redis_url)
    try:
        assert await writer.halt_flag() is None
        person.raise_halt("news")
        assert await writer.halt_flag() == "news"
        person.drop_halt()
        assert await writer.halt_flag() is None
    finally:
        await writer.close()
    assert HALT_KEY == "htbot:halt"


# --- at any moment of a send ------------------------------------------------------------------------------------------


class Moment:
    """Touches STOP at the k-th thing that the desk does: a transaction begins, ends, or a byte leaves."""

    def __init__(self, stop_file: Path, at: int) -> None:
        self.stop_file, self.left = stop_file, at

    def passes(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.stop_file.touch()

    @property
    def over(self) -> bool:
        return self.left <= 0


def watch_moments(thread: DatabaseThread, moment: Moment) -> None:
    """Every transaction of the desk passes two moments, its begin and its end."""
    transact = DatabaseThread._transact.__get__(thread)

    def passing(work: Callable[[Session], T]) -> T:
        moment.passes()
        try:
            return transact(work)
        finally:
            moment.passes()

    thread._transact = passing


@pytest.mark.fault(41)
@pytest.mark.slow
async def test_stop_at_a_hundred_moments_of_a_send(world: World) -> None:
    """No entry leaves after STOP was there when the desk looked; cancels and closes go on; a restart keeps it."""
    chance = random.Random(41)
    halted_before, sent_before = 0, 0
    desk = await world.desk()
    held = await desk.opened()
    for number in range(2, 102):
        moment = Moment(world.stop_file, chance.randint(1, 12))
        watch_moments(desk.desk.parts.orders_database, moment)
        seen_at_send: list[bool] = []
        desk.session.on_place = lambda _intent, _id, _limit, seen=seen_at_send: seen.append(world.stop_file.exists())
        world.after(market_s=1)
        await desk.hear()
        intent = _enter_again(world, number)
        await desk.desk.act(world.now)
        await desk.hear()
        while not moment.over:
            moment.passes()
        assert seen_at_send in ([], [False])
        assert desk.desk.parts.halts.entries_halted_by() is not None
        after_stop = _enter_again(world, number + 1000)
        await desk.turn()
        assert after_stop.ref not in {ref for ref, _id, _limit in desk.session.placed}
        if seen_at_send:
            sent_before += 1
            await desk.hear()  # a halt cancels what works
            assert world.state(intent.ref) is IntentState.CANCELLED
        else:
            halted_before += 1
            assert world.state(intent.ref) is IntentState.WITHDRAWN
        world.stop_file.unlink()
        await desk.desk.parts.halts.refresh(world.now)
    assert halted_before > 20
    assert sent_before > 5
    world.stop_file.touch()
    desk.die()
    again = await world.desk()
    assert again.desk.parts.halts.entries_halted_by() == f"STOP file {world.stop_file}"
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    await again.turn()
    world.after(market_s=2)
    await again.turn()
    [exit_] = world.exits(held.trade_id)
    assert exit_.state is IntentState.WORKING


def _enter_again(world: World, number: int) -> OrderIntent:
    """Another strategy each time: one live trade each."""
    return world.enter(number, strategy=f"s{number}", opened_at=world.now, id=f"s{number}-trade")


async def test_watching_begins_anew_with_the_end_of_a_halt_whoever_sees_it(world: World) -> None:
    desk = await world.desk()
    desk.desk.parts.halts.halt("signal", "SIGUSR1", by="signal", at=world.now)
    await desk.desk.refresh_halts(world.now)
    world.after(market_s=60)
    with world.database.transaction() as session:
        HaltRepository(session).clear("cli:ann", world.now)
    await desk.desk.refresh_halts(world.now)
    assert desk.desk.parts.watch.watching_since == world.now
