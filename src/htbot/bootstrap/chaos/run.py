"""`htbot chaos`: starts an instance behind the proxy, loads and breaks it, and compares the books at the end."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis

from htbot.adapters.live import LiveReader
from htbot.bootstrap.chaos.backlog import Backlog
from htbot.bootstrap.chaos.books import read_broker, read_record
from htbot.bootstrap.chaos.faults import Injector
from htbot.bootstrap.chaos.health import Health
from htbot.bootstrap.chaos.load import Load, LoadParts, LoadPlan
from htbot.bootstrap.chaos.proxy import ProxyThread
from htbot.bootstrap.chaos.report import ChaosResult, Measured, by_kind
from htbot.bootstrap.chaos.schedule import plan_faults
from htbot.bootstrap.chaos.shares import watch_shares
from htbot.bootstrap.chaos.site import Site
from htbot.bootstrap.chaos.tempo import Tempo
from htbot.bootstrap.chaos.verdict import Verdict, judge_books
from htbot.bootstrap.install.ports import free_port
from htbot.bootstrap.install.stack import Stack
from htbot.bootstrap.isolation import hear_nothing, interruptible, isolated_environ, temporary_place
from htbot.bootstrap.limits import risk_limits
from htbot.domain.errors import CallerMistake, HtbotError, Retryable
from htbot.paper.faults.talk import NoControlPort
from htbot.persistence.engine import Database, EngineOptions
from htbot.settings import project_root

SYMBOL = "SPX"
SPEED = 4.0
"""Market seconds per second: a ladder from mid to natural takes some ten seconds, as long as a blow and its end."""

_BEGIN = "2026-03-04T10:01"
_READY_WITHIN_S = 150.0
# A slow host may take its time, one that gets no further may not.
_STUCK_AFTER_S, _OVERTIME_S = 60.0, 600.0
_LOOK_EVERY_S, _TELL_EVERY_S = 0.05, 1.0
_JUST_NOW = timedelta(seconds=2)


class ChaosFailed(HtbotError):
    """The run came to its end and something was not as it must be; `result` says what."""

    def __init__(self, result: ChaosResult, folder: Path) -> None:
        super().__init__(f"chaos found faults of ours; logs and both books are in {folder}")
        self.result = result
        self.folder = folder


class NotStarted(HtbotError):
    """The instance did not come up, so nothing was tried."""


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """The options of `htbot chaos`. The instance lives in a folder below `parent`, by default the host's for such.

    After so many `minutes` no blow begins any more: what has been made by then is brought to its end and judged.
    """

    intents: int = 300
    faults: int = 62
    seed: int = 1
    minutes: float = math.inf
    parent: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def longest_s(self) -> float:
        """Host seconds after which a run is ended, however far it is."""
        return self.intents + 10.0 * self.faults + _OVERTIME_S


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands, for whoever shows it."""

    elapsed_s: float
    intents: int
    faults: int
    last_fault: str
    live_trades: int
    complaints: tuple[str, ...]


Progress = Callable[[Standing], None]


def quiet(_standing: Standing) -> None:
    """Show no progress."""


def run(options: ChaosOptions, progress: Progress = quiet) -> ChaosResult:
    """Run once, from the main thread. Nothing is left running, and the folder goes unless something was wrong.

    Raises:
        ChaosFailed: something was sent twice, lost, unknown or different in the two books, or did not come back.
        NotStarted: the instance did not come up.
    """
    began_s = time.monotonic()
    with interruptible(), temporary_place("htbot-chaos-", options.parent) as folder, _instance(options, folder) as site:
        with _databases(site) as databases:
            result = _Run(site, options, databases).play(progress, began_s)
        if not result.passed:
            raise ChaosFailed(result, folder)
        return result


@contextmanager
def _instance(options: ChaosOptions, folder: Path) -> Iterator[Site]:
    """The whole stack, its desk behind the proxy; all of it is stopped at the end."""
    environ = isolated_environ(options.environ, folder)
    proxy = ProxyThread(int(environ["PAPER_PORT"]))
    stack = Stack(project_root(), environ | _settings(options, proxy.start()))
    try:
        stack.start()
        yield Site(stack, proxy)
    finally:
        hear_nothing()
        stack.stop_all()
        proxy.stop()


def _settings(options: ChaosOptions, connect_port: int) -> dict[str, str]:
    return {
        "HTBOT_SYMBOL": SYMBOL,
        "HTBOT_BAR_MINUTES": "1",
        "HTBOT_TREND_WARMUP": "seeded",
        "HTBOT_PROFIT_TARGET": "100",
        "HTBOT_STOP_LOSS": "400",
        "RISK_PROFILE": "chaos",
        "PAPER_CONNECT_PORT": str(connect_port),
        "PAPER_CONTROL_PORT": str(free_port()),
        "PAPER_START": _BEGIN,
        "PAPER_SPEED": f"{SPEED:g}",
        "PAPER_SEED": str(options.seed),
        "PAPER_CASH": "100000000",
        "PAPER_LINES": "400",
    }


@dataclass(frozen=True, slots=True)
class _Databases:
    """One for each thread."""

    main: Database
    load: Database
    health: Database


@contextmanager
def _databases(site: Site) -> Iterator[_Databases]:
    url = site.settings.database.url
    opened = [
        Database(url, EngineOptions(application_name=f"htbot-chaos-{name}", pool_size=1))
        for name in ("main", "load", "health")
    ]
    try:
        yield _Databases(*opened)
    finally:
        for database in opened:
            database.close()


class _Run:
    """One run on a started instance: three threads, of which this one makes the faults."""

    def __init__(self, site: Site, options: ChaosOptions, databases: _Databases) -> None:
        self._site = site
        self._options = options
        self._databases = databases
        settings = site.settings
        self._live = LiveReader(settings.redis.url)
        _wait_ready(self._live)
        watch_shares(settings, databases.main, self._live)
        self._began_s = time.monotonic()
        backlog = Backlog(settings, LiveReader(settings.redis.url), databases.main)
        plan = plan_faults(options.seed, options.faults)
        ends_s = self._began_s + options.minutes * 60
        tempo = Tempo(1 + max((fault.blow for fault in plan), default=-1), self._ready, ends_s)
        self._injector = Injector(site, databases.main, backlog, plan, SPEED, tempo)
        self._health = Health(site, databases.health, self._live, lambda: tuple(self._injector.happened))
        queue = Backlog(settings, LiveReader(settings.redis.url), databases.load)
        parts = LoadParts(
            settings, databases.load, LiveReader(settings.redis.url), queue, risk_limits(settings, SYMBOL), SYMBOL
        )
        self._load = Load(
            parts, LoadPlan(options.intents, options.seed, SPEED, lambda: tempo.share, lambda: tempo.over)
        )
        self._under_faults = 0
        self._beside: list[Future[None]] = []

    def _ready(self) -> bool:
        """The load is up to its share, and the desk has just said that entries may leave."""
        if not self._load.caught_up:
            return False
        with suppress(redis.RedisError):
            clock = self._live.clock()
            fresh = clock is not None and datetime.now(UTC) - clock.written_at < _JUST_NOW
            return fresh and clock is not None and clock.trading_enabled and clock.connection == "connected"
        return False

    def play(self, progress: Progress, started_s: float) -> ChaosResult:
        """Load and break until both are done, then wait for quiet and judge."""
        with ThreadPoolExecutor(2, thread_name_prefix="chaos") as pool:
            self._beside = [pool.submit(self._load.run), pool.submit(self._health.run)]
            try:
                self._break(progress)
                self._lift()
                verdict = self._settle(progress)
            finally:
                self._load.stop()
                self._health.stop()
        return ChaosResult(verdict, self._measured(time.monotonic() - started_s))

    def _break(self, progress: Progress) -> None:
        told_s, patience = 0.0, _Patience(self._began_s + self._options.longest_s)
        while not (self._injector.done and self._load.done):
            self._injector.step()
            if patience.over((self._load.changes, len(self._injector.happened))):
                return
            if not self._injector.done:
                self._under_faults = self._load.intents
            told_s = self._tell(progress, told_s)
            time.sleep(_LOOK_EVERY_S)

    def _lift(self) -> None:
        self._injector.lift_all()
        with suppress(NoControlPort, CallerMistake):  # a gateway on its way back has none in force but what it kept
            self._site.clear_gateway()

    def _settle(self, progress: Progress) -> Verdict:
        """The last verdict: the first that is clean with everything back, or the one when patience ends."""
        told_s, patience = 0.0, _Patience(time.monotonic() + _OVERTIME_S)
        while True:
            with suppress(Retryable):
                verdict = self._verdict()
                over = verdict.clean and self._health.recovered and not self._health.complaints
                if over or patience.over((verdict, self._health.complaints)):
                    return verdict
            told_s = self._tell(progress, told_s)
            time.sleep(1.0)

    def _verdict(self) -> Verdict:
        broker = read_broker(self._site.books)
        with self._databases.main.transaction() as transaction:
            return judge_books(broker, read_record(transaction))

    def _tell(self, progress: Progress, told_s: float) -> float:
        for work in self._beside:
            if work.done():
                work.result()  # raises what has ended it before its time
        now_s = time.monotonic()
        if now_s - told_s < _TELL_EVERY_S:
            return told_s
        happened = self._injector.happened
        last = happened[-1].kind if happened else "none"
        load = self._load
        elapsed_s = now_s - self._began_s
        progress(Standing(elapsed_s, load.intents, len(happened), last, load.live_trades, self._health.complaints))
        return now_s

    def _measured(self, wall_s: float) -> Measured:
        health, injector = self._health, self._injector
        recoveries = [math.inf if item.recovered_s is None else item.recovered_s for item in health.recoveries]
        return Measured(
            seed=self._options.seed,
            planned=(self._options.intents, self._options.faults),
            faults=by_kind([item.kind for item in injector.happened]),
            faults_missed=tuple(item.kind for item in injector.missed),
            recoveries_s=tuple(recoveries),
            doubts_s=tuple(health.doubts_s),
            longest_broken_s=health.longest_broken_s,
            intents_under_faults=self._under_faults,
            complaints=health.complaints,
            refused=dict(self._load.refused),
            closed_by=dict(self._load.closed_by),
            disturbed=self._site.proxy.met,
            wall_s=wall_s,
        )


class _Patience:
    """Ends when nothing has changed for a minute, or at a last moment (monotonic)."""

    def __init__(self, last_s: float) -> None:
        self._last_s = last_s
        self._seen: object = None
        self._changed_s = time.monotonic()

    def over(self, seen: object) -> bool:
        """True when this is no other than what was seen a minute ago, or it has gone on for too long."""
        now_s = time.monotonic()
        if seen != self._seen:
            self._seen, self._changed_s = seen, now_s
        return now_s > self._last_s or now_s - self._changed_s > _STUCK_AFTER_S


def _wait_ready(live: LiveReader) -> None:
    """Until the desk has enabled trading and published its chain."""
    deadline_s = time.monotonic() + _READY_WITHIN_S
    said = "it has not spoken"
    while time.monotonic() < deadline_s:
        with suppress(redis.RedisError):
            clock, chart = live.clock(), live.snapshot(SYMBOL)
            if clock is not None and clock.trading_enabled and chart is not None and chart.options:
                return
            said = "it has not spoken" if clock is None else f"{clock.connection}, {clock.reason}"
        time.sleep(0.2)
    raise NotStarted(f"the desk did not enable trading within {_READY_WITHIN_S:.0f} s: {said}")
