"""Keeps the picture fresh: two threads that read, one for the desk's words and one for the record, and one loop.

While somebody looks, each reads four times a second at most; what was not changed costs one question. While nobody
looks, nothing is read at all: the first to look waits for one reading. PostgreSQL away leaves what was read before, and
its age says so. Only reading happens here: nothing of it reaches a decision.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from htbot.domain.errors import Retryable
from htbot.services.board.board import Board
from htbot.services.board.deltas import encoded
from htbot.services.board.picture import Picture, picture_of, positions_of_main, states, status_without_age
from htbot.services.board.readings import LiveReading, Readings, RecordReading
from htbot.services.desk_view import DeskView

_UNHEARD = DeskView("unknown", "unknown: what the desk says was not read, the cause is in var/log/api.log")
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is read, in host seconds.

    Attributes:
        gap_s: from the beginning of a reading to that of the next.
        share: of the time that a reading took, until the next one begins: a fifth of the time at most goes into it.
        longest_s: between two readings at most, however long the last one hung.
        rests_after_s: without anybody who looks, nothing is read any more.
        patience_s: how long an answer waits for a reading that was begun after what it must show.
    """

    gap_s: float = 0.25
    share: float = 4.0
    longest_s: float = 5.0
    rests_after_s: float = 10.0
    patience_s: float = 1.0


class _Lane(Generic[T]):
    """A thread that reads again and again. `asked` counts wishes for a fresh reading, `served` those fulfilled."""

    def __init__(self, name: str, read: Callable[[], T], resting: Callable[[], bool], pace: Pace) -> None:
        self._name = name
        self._pace = pace
        self._read = read
        self._resting = resting
        self._bell = threading.Event()
        self._taken = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.asked, self.served = 1, 0
        self.began_s: float | None = None

    @property
    def running(self) -> bool:
        """True while the thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def ask(self) -> None:
        """What was read before does not count any more."""
        self.asked += 1
        self._bell.set()

    def overdue(self, now_s: float) -> bool:
        """True when nobody should wait for the reading that is under way."""
        began_s = self.began_s
        return began_s is not None and now_s - began_s > self._pace.patience_s

    def start(self, done: Callable[[int, float, T], object]) -> None:
        """Begin; `done` gets the wish that was fulfilled, when the reading began, and what was read."""
        self._thread = threading.Thread(target=self._run, args=(done,), name=f"board-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more; a reading that is under way is not waited for."""
        self._stopped.set()
        self._bell.set()
        self._taken.set()

    def take(self, asked: int) -> None:
        """The loop has what was read; before that nothing is read again, so that nothing piles up in a busy loop."""
        self.served = asked
        self._taken.set()

    def _run(self, done: Callable[[int, float, T], object]) -> None:
        pause_s = 0.0
        while True:
            self._bell.wait(None if self._resting() else pause_s)
            self._bell.clear()
            if self._stopped.is_set():
                return
            asked, began_s = self.asked, time.monotonic()
            self.began_s = began_s
            found = self._read()
            self.began_s = None
            took_s = time.monotonic() - began_s
            pause_s = min(max(self._pace.gap_s - took_s, took_s * self._pace.share), self._pace.longest_s)
            self._taken.clear()
            try:
                done(asked, began_s, found)
            except RuntimeError:  # the loop has ended before us
                return
            self._taken.wait()


class _Unread(Retryable):
    """The record was not read for a reason that nobody expected; it is the cause."""


@dataclass(frozen=True, slots=True)
class Answer:
    """JSON, when the record was last seen to be so (host time, ISO 8601), and how many seconds ago that was."""

    body: bytes
    as_of: bytes
    age_s: float


class Feed:
    """The board's readings. Made and used in one event loop; `changed` may be called from any thread."""

    def __init__(self, readings: Readings, board: Board, pace: Pace | None = None) -> None:
        self.board = board
        self._pace = pace or Pace()
        board.on_follow = self.changed
        self._readings = readings
        self._live: LiveReading | None = None
        self._record: RecordReading | None = None
        self._trouble: Retryable | None = None
        self._read_s = self._shown_s = 0.0
        self._asked_s = 0.0
        self._turn = asyncio.Event()
        self._picture: Picture | None = None
        self._status, self._positions, self._as_of = b"", b"", b""
        self._live_lane = _Lane("live", self._read_live, self._resting, self._pace)
        self._record_lane = _Lane("record", self._read_record, self._resting, self._pace)

    # --- running ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Read in the background from now on; called in the loop that the board lives in."""
        loop = asyncio.get_running_loop()
        self._asked_s = time.monotonic()
        self._live_lane.start(lambda *told: loop.call_soon_threadsafe(self._on_live, *told))
        self._record_lane.start(lambda *told: loop.call_soon_threadsafe(self._on_record, *told))

    def stop(self) -> None:
        """Read no more."""
        self._live_lane.stop()
        self._record_lane.stop()

    def _resting(self) -> bool:
        return not self.board.followed and time.monotonic() - self._asked_s > self._pace.rests_after_s

    def _read_live(self) -> LiveReading:
        try:
            found = self._readings.live()
        except Exception as error:  # noqa: BLE001 - a thread's edge (docs/decisions/0029)
            if self._live is None or self._live.desk != _UNHEARD:
                _log.warning("what the desk says was not read", exc_info=error)
            return LiveReading(_UNHEARD, True, {})
        return found

    def _read_record(self) -> RecordReading | Retryable:
        try:
            live = self._live or self._readings.live()
            return self._readings.record(live, self.board.followed, self._record)
        except Retryable as error:
            return error
        except Exception as error:  # noqa: BLE001 - a thread's edge (docs/decisions/0029)
            unread = _Unread(f"the record was not read: {type(error).__name__}")
            unread.__cause__ = error
            return unread

    def _on_live(self, asked: int, _began_s: float, found: LiveReading) -> None:
        self._live = found
        self._live_lane.take(asked)
        self._show()

    def _on_record(self, asked: int, began_s: float, found: RecordReading | Retryable) -> None:
        self._record_lane.take(asked)
        if isinstance(found, RecordReading):
            self._record, self._read_s = found, began_s
        self._told(found if isinstance(found, Retryable) else None)
        self._show()

    def _told(self, trouble: Retryable | None) -> None:
        unread = isinstance(trouble, _Unread)
        if trouble is not None and (self._trouble is None or (unread and str(trouble) != str(self._trouble))):
            cause = trouble.__cause__ if unread else None
            _log.warning("what was read before is shown: %s", trouble, exc_info=cause)
        elif trouble is None and self._trouble is not None:
            _log.info("the record is read again")
        self._trouble = trouble

    def _show(self) -> None:
        """Put together what there is, for REST and for everybody who follows."""
        if self._live is not None and self._record is not None:
            halts = self._readings.with_file(self._record.status.halts)
            configured = (self._readings.mode, self._readings.host_now())
            picture = picture_of(self._live, self._record, halts, configured, away=self._trouble is not None)
            self._picture = picture
            self._status, self._positions = status_without_age(picture.status), encoded(positions_of_main(picture))
            self._as_of, self._shown_s = encoded(picture.record.read_at).strip(b'"'), self._read_s
            for topic, state, as_of in states(picture, self.board.followed):
                self.board.publish(topic, state, as_of)
        self._turn.set()
        self._turn = asyncio.Event()

    # --- asking ----------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """This process has just changed something, or somebody wants more: what was read before does not count."""
        self._asked_s = time.monotonic()
        self._live_lane.ask()
        self._record_lane.ask()

    async def ready(self) -> None:
        """Before an answer: costs nothing while the picture is fresh, and waits a second at most when it is not.

        Raises:
            Retryable: nothing was ever read, and PostgreSQL does not answer.
        """
        now_s = time.monotonic()
        if not (self._live_lane.running and self._record_lane.running):
            await self._look()
        elif self._resting():
            self.changed()
        self._asked_s = now_s
        until_s = now_s + self._pace.patience_s
        while not self._fresh(now_s) and now_s < until_s:
            try:
                await asyncio.wait_for(self._turn.wait(), until_s - now_s)
            except TimeoutError:
                break
            now_s = time.monotonic()
        if self._picture is None:
            raise self._trouble or Retryable("the record was not read yet: PostgreSQL has not answered so far")

    def _fresh(self, now_s: float) -> bool:
        lanes = (self._live_lane, self._record_lane)
        return all(lane.served >= lane.asked or lane.overdue(now_s) for lane in lanes)

    async def _look(self) -> None:
        """One reading of both, for somebody who asks while nothing runs in the background."""
        live = await asyncio.to_thread(self._read_live)
        self._on_live(self._live_lane.asked, 0.0, live)
        began_s = time.monotonic()
        self._on_record(self._record_lane.asked, began_s, await asyncio.to_thread(self._read_record))

    @property
    def picture(self) -> Picture | None:
        """What was put together last; None before the first reading."""
        return self._picture

    @property
    def account(self) -> str | None:
        """The main account, whose positions `positions` has."""
        return None if self._record is None else self._record.account

    def status(self) -> Answer:
        """The answer of `GET /status`, after `ready`."""
        age_s = self._age_s()
        return Answer(b"%b%.1f}" % (self._status, age_s), self._as_of, age_s)

    def positions(self) -> Answer:
        """The answer of `GET /positions` for the traded account, after `ready`."""
        return Answer(self._positions, self._as_of, self._age_s())

    def _age_s(self) -> float:
        return max(0.0, time.monotonic() - self._shown_s)
