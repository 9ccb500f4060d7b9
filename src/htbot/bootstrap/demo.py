"""`htbot demo`: the whole stack in a folder of its own, one trading day, stepped; then everything is stopped.

Nothing of it touches the instance that trades: own state folder, own STOP file, own ports, no `.env`, mails as files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from functools import partial
from pathlib import Path
from typing import Any, Literal

from htbot.adapters.live import LiveReader
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.day_record import DayRecord, read_days
from htbot.bootstrap.install.stack import Stack
from htbot.bootstrap.isolation import hear_nothing, interruptible, isolated_environ, temporary_place
from htbot.bootstrap.paper import PaperOptions, build_market
from htbot.bootstrap.people import build_people
from htbot.domain.errors import ConfigurationError, HtbotError
from htbot.domain.sessions import NEW_YORK, Session, floor_to
from htbot.marketdata.clock_state import GRID_S
from htbot.persistence.codecs import plain
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.journal import day_journal
from htbot.persistence.queries.selection import Selection
from htbot.persistence.repositories import Series, TaskRunRepository
from htbot.services.callers import Caller
from htbot.services.command_kinds import EVERY_ACCOUNT
from htbot.services.schedule import schedule
from htbot.services.strategies import NewStrategy, Strategies, StrategyParts
from htbot.settings import Settings, project_root

# A day begins five minutes before the open and goes on five minutes after the close, so that the last mail is out.
BEFORE_OPEN = timedelta(minutes=5)
AFTER_CLOSE = timedelta(minutes=5)
# One process decides after the other what there is to decide, with one memory: see `tasks.base.run_in_turn`.
_IN_TURN = {"HTBOT_WORKER_PROCESSES": "1", "HTBOT_EVALUATION_PARTS": "1"}
_STUCK_AFTER_S = 90.0
_LOOK_EVERY_S = 0.2


class DemoFailed(HtbotError):
    """The day did not come to its end; the text says where it stood and where the logs are."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of `htbot demo`. `folder` keeps the instance there; None takes and removes a temporary one.

    `instances` are strategies that are there before the day begins, beside strategy 1, on plain instruments or options.
    `settings` are those of this day, by variable; they count before `environ`. `days` sessions are played, one after
    the other: the first one from `begins` on and the last one until `ends`, New York's clock, when these are given.
    """

    data: tuple[Path, ...] = ()
    day: date | None = None
    symbol: str = "SPX"
    speed: float | Literal["max"] = "max"
    seed: int = 7
    bar: str | None = None
    folder: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    instances: tuple[NewStrategy, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    days: int = 1
    begins: clock_time | None = None
    ends: clock_time | None = None


Progress = Callable[[datetime, float], None]


def quiet(_market_time: datetime, _fraction: float) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the day left: `summary` has INTERFACE's shape, `journal` is the canonical text of the day.

    `record` is the same day as objects, `settings` those of the instance that played `session`, of which those in
    `chosen` were set for this day, by variable. `later` are the sessions after it: the record has them all, summary and
    journal are of the first. `began` and `ended` are the first and the last instant within them, where such were asked
    for.
    """

    summary: dict[str, Any]
    journal: str
    record: DayRecord
    settings: Settings
    session: Session
    chosen: Mapping[str, str] = field(default_factory=dict)
    later: tuple[Session, ...] = ()
    began: datetime | None = None
    ended: datetime | None = None

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Every session that was played."""
        return (self.session, *self.later)


def run(options: DemoOptions, progress: Progress = quiet) -> DemoResult:
    """Run one day, from the main thread: SIGTERM and SIGHUP end it as Ctrl-C does, with everything stopped.

    Raises:
        ConfigurationError: data, date, symbol or folder cannot be run with; nothing was started.
        DemoFailed: the day got stuck or a program died.
        KeyboardInterrupt: it was told to end.
    """
    with interruptible(), tempfile.TemporaryDirectory(prefix="htbot-demo-check-") as checked:
        sessions = _sessions(options, Path(checked))
        started = time.monotonic()
        with _place(options.folder) as folder:
            shutil.copytree(checked, folder, dirs_exist_ok=True)  # the calendar is not made twice
            stack = Stack(project_root(), _environ(options, folder, sessions))
            try:
                begins, ends = _span(options, sessions)
                stack.start(prepare=partial(_seat, stack, options.instances, begins))
                _watch(stack, begins, ends, progress)
                return _collect(stack, sessions, options, started)
            finally:
                hear_nothing()
                stack.stop_all()


@contextmanager
def _place(chosen: Path | None) -> Iterator[Path]:
    """The folder of the instance. A temporary one stays only after a day that failed, for its logs.

    A chosen one must be empty: the stack stops whatever runs in its folder, and goes on with its books.
    """
    if chosen is not None:
        try:
            chosen.mkdir(parents=True, exist_ok=True)
            used = any(chosen.iterdir())
        except OSError as error:
            raise ConfigurationError(f"--folder {chosen}: {error.strerror}") from error
        if used:
            raise ConfigurationError(f"--folder {chosen} is not empty: take a new one, the day begins from nothing")
        yield chosen
        return
    with temporary_place("htbot-demo-") as folder:
        yield folder


def _sessions(options: DemoOptions, folder: Path) -> Sequence[Session]:
    """What is played; refuses data and dates before anything is started. The calendar is kept in the folder."""
    paper = PaperOptions(
        state_dir=folder,
        market="replay" if options.data else "synthetic",
        data=options.data,
        bar=options.bar,
        symbol=options.symbol if options.data else None,
        start=options.day,
        seed=options.seed,
        speed="max",
        calendar_dir=folder / "cache",
    )
    market = build_market(paper, options.day)
    session = market.sessions.at(market.start)
    if session is None:
        raise ConfigurationError(f"--date {options.day}: the exchange is closed on that day, choose a session")
    found = [one for one in market.sessions.all() if one.day >= session.day][: options.days]
    if len(found) < options.days or (market.end is not None and market.end < found[-1].opens):
        raise ConfigurationError(f"--days {options.days}: the data end before that, give fewer")
    return found


def _seat(stack: Stack, instances: Sequence[NewStrategy], begins: datetime) -> None:
    """Add the instances as a person would, when the record is there and nobody decides yet.

    Raises:
        NotFound, CallerMistake: an instance that cannot be: the text says why.
    """
    if not instances:
        return
    database = Database(stack.settings.database.url, EngineOptions(application_name="htbot-demo", pool_size=1))
    live = LiveReader(stack.settings.redis.url)
    parts = StrategyParts(
        database, live, partial(strategies, stack.settings), lambda: begins, stack.settings.ib.accounts
    )
    try:
        for instance in instances:
            Strategies(parts).add(instance, Caller("demo"))
    finally:
        database.close()


def _environ(options: DemoOptions, folder: Path, sessions: Sequence[Session]) -> dict[str, str]:
    begins, ends = _span(options, sessions)
    return {
        **isolated_environ(options.environ, folder),
        **(_IN_TURN if options.speed == "max" else {}),
        **options.settings,
        "HTBOT_SYMBOL": options.symbol,
        "PAPER_SPEED": str(options.speed),
        "PAPER_SEED": str(options.seed),
        "PAPER_START": begins.isoformat(),
        "PAPER_END": ends.isoformat(),
        **({"PAPER_DATA": ",".join(str(path.resolve()) for path in options.data)} if options.data else {}),
        **({"PAPER_BAR": options.bar} if options.bar else {}),
    }


def _span(options: DemoOptions, sessions: Sequence[Session]) -> tuple[datetime, datetime]:
    """The first and the last instant of the world."""
    began, ended = _given(options, sessions)
    return began or sessions[0].opens - BEFORE_OPEN, ended or sessions[-1].closes + AFTER_CLOSE


def _given(options: DemoOptions, sessions: Sequence[Session]) -> tuple[datetime | None, datetime | None]:
    """What was asked for of them."""
    begins, ends = options.begins, options.ends
    began = None if begins is None else sessions[0].at(begins.hour, begins.minute)
    return began, None if ends is None else sessions[-1].at(ends.hour, ends.minute)


def _watch(stack: Stack, begin: datetime, end: datetime, progress: Progress) -> None:
    """Until the last instant's tasks have ended; a day that does not move is stuck."""
    live = LiveReader(stack.settings.redis.url)
    database = Database(stack.settings.database.url, EngineOptions(application_name="htbot-demo", pool_size=1))
    at, moved_s = begin, time.monotonic()
    try:
        while not (at >= end and _over(database, stack, end)):
            time.sleep(_LOOK_EVERY_S)
            clock = live.clock()
            now = at if clock is None else clock.market_now(datetime.now(UTC))
            if now > at:
                at, moved_s = now, time.monotonic()
                progress(at, min((at - begin) / (end - begin), 1.0))
            if time.monotonic() - moved_s > _STUCK_AFTER_S:
                where = at.astimezone(NEW_YORK).strftime("%H:%M:%S")
                raise DemoFailed(f"the day stands still at {where} New York; logs are in {stack.settings.paths.log}")
    finally:
        database.close()


def _over(database: Database, stack: Stack, end: datetime) -> bool:
    last = floor_to(end, GRID_S)
    rows = schedule(stack.settings.schedule.poll_seconds)
    expected = [(row.task, row.key) for row in rows if row.due(last)]
    with database.transaction() as session:
        return not TaskRunRepository(session).missing(expected, last)


def _collect(stack: Stack, sessions: Sequence[Session], options: DemoOptions, started: float) -> DemoResult:
    session, *later = sessions
    began, ended = _given(options, sessions)
    people = build_people(stack.settings, EngineOptions(application_name="htbot-demo", pool_size=1))
    chosen = Selection(day=session.day, account=EVERY_ACCOUNT, limit=1000)
    queries = people.queries
    try:
        mails = queries.alerts(chosen)
        pnl = queries.pnl(chosen)
        with people.database.transaction() as transaction:
            clock = queries.desk().clock
            world_id = clock.world_id if clock else ""
            journal = day_journal(transaction, world_id, session.day)
            series = Series(world_id, options.symbol, stack.settings.strategy.bar_minutes)
            record = read_days(transaction, series, sessions, stack.settings.ib.account)
        summary = {
            "date": session.day,
            "symbol": options.symbol,
            "signals": queries.signals(chosen),
            "orders": queries.orders(chosen),
            "fills": queries.fills(chosen),
            "trades": queries.trades(chosen),
            "mails": [{"subject": mail.subject, "to": _recipient(stack), "at": mail.ts} for mail in mails],
            "pnl": {"gross": pnl.day.gross, "commissions": pnl.day.commissions, "net": pnl.day.net},
            "wall_s": round(time.monotonic() - started, 1),
        }
    finally:
        people.database.close()
    return DemoResult(
        summary=plain(summary),
        journal=journal,
        record=record,
        settings=stack.settings,
        session=session,
        chosen=dict(options.settings),
        later=tuple(later),
        began=began,
        ended=ended,
    )


def _recipient(stack: Stack) -> str:
    return ", ".join(stack.settings.mail.recipients) or "var/mail"
