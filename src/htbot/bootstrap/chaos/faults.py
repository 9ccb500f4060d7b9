"""Makes planned faults happen, and lifts those that last."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import redis
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from htbot.bootstrap.chaos.backlog import Backlog
from htbot.bootstrap.chaos.frames import CANCEL_ORDER, PLACE_ORDER
from htbot.bootstrap.chaos.proxy import Disturbance, Kind
from htbot.bootstrap.chaos.schedule import Choices, PlannedFault
from htbot.bootstrap.chaos.site import NotNow, Site
from htbot.bootstrap.chaos.tempo import Tempo
from htbot.bootstrap.install.outcome import NotReady
from htbot.domain.errors import CallerMistake, Retryable
from htbot.paper.faults.talk import NoControlPort
from htbot.persistence.engine import Database

_ORDERS = frozenset({PLACE_ORDER, CANCEL_ORDER})
_SLOW_PAUSE_S, _DELAY_S = 0.02, 0.4
_COPY_PATIENCE_S = 10.0
_STARTS = 5
_BESIDE = ThreadPoolExecutor(1, thread_name_prefix="chaos-start")

Lift = Callable[[], Future[None] | None]
"""Ends what lasts; what takes long to end answers with when it has."""


@dataclass(slots=True)
class Happened:
    """One fault that was made. `over_at` is host time when its cause has ended, None while it lasts."""

    kind: str
    at: datetime
    choices: Choices
    over_at: datetime | None = None


@dataclass(slots=True)
class _Lasting:
    until_s: float
    lift: Lift
    fault: Happened


@dataclass(slots=True)
class _Ending:
    ends: Future[None]
    fault: Happened


@dataclass(slots=True)
class _Waiting:
    fault: PlannedFault
    due_s: float
    gives_up_s: float
    tried: bool = False


@dataclass(slots=True)
class Injector:
    """Works off a plan of faults against a site, blow by blow; called from one thread.

    `happened` are the faults made so far, `missed` those whose victim was not there for `patience_s`, tried every
    `again_s`.
    """

    site: Site
    database: Database
    backlog: Backlog
    plan: Sequence[PlannedFault]
    speed: float
    tempo: Tempo
    patience_s: float = 90.0
    again_s: float = 0.3
    happened: list[Happened] = field(default_factory=list)
    missed: list[PlannedFault] = field(default_factory=list)
    _lasting: list[_Lasting] = field(default_factory=list)
    _ending: list[_Ending] = field(default_factory=list)
    _waiting: list[_Waiting] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """True when every fault that is to come has happened and been lifted."""
        return self.tempo.over and not (self._waiting or self._lasting or self._ending)

    def step(self) -> None:
        """Lift what is over, make what is due."""
        now_s = time.monotonic()
        self._next_blow(now_s)
        for lasting in [item for item in self._lasting if item.until_s <= now_s]:
            self._end(lasting)
        self._ended()
        for waiting in [item for item in self._waiting if item.due_s <= now_s]:
            self._try(waiting)

    def _next_blow(self, now_s: float) -> None:
        """Victims that are not there yet do not hold up the next blow."""
        struck = all(item.tried for item in self._waiting)
        number = self.tempo.next_blow(now_s, struck=struck)
        for fault in self.plan:
            if fault.blow == number:
                due_s = now_s + fault.at_s
                self._waiting.append(_Waiting(fault, due_s, due_s + self.patience_s))

    def lift_all(self) -> None:
        """End what still lasts; nothing more is made."""
        self._waiting.clear()
        for lasting in list(self._lasting):
            self._end(lasting)
        wait([ending.ends for ending in self._ending])
        self._ended()

    def _try(self, waiting: _Waiting) -> None:
        self._waiting.remove(waiting)
        fault = waiting.fault
        happened = Happened(fault.kind, datetime.now(UTC), fault.choices)
        try:
            lift = MAKE[fault.kind](self, fault.choices)
        except (NotNow, NoControlPort, CallerMistake, Retryable, redis.RedisError, OSError):
            now_s = time.monotonic()
            if now_s > waiting.gives_up_s:
                self.missed.append(fault)
            else:
                self._waiting.append(_Waiting(fault, now_s + self.again_s, waiting.gives_up_s, tried=True))
            return
        self.happened.append(happened)
        hold_s = fault.choices.get("hold_s", 0.0)
        if lift is not None:
            self._lasting.append(_Lasting(time.monotonic() + hold_s, lift, happened))
            return
        lasts_s = fault.choices.get("for_s", 0.0) / self.speed if fault.kind in _LAST_BY_THEMSELVES else 0.0
        happened.over_at = datetime.now(UTC) + timedelta(seconds=lasts_s)

    def _end(self, lasting: _Lasting) -> None:
        self._lasting.remove(lasting)
        ends = lasting.lift()
        if ends is not None:
            self._ending.append(_Ending(ends, lasting.fault))
        else:
            lasting.fault.over_at = datetime.now(UTC)

    def _ended(self) -> None:
        for ending in [item for item in self._ending if item.ends.done()]:
            self._ending.remove(ending)
            ending.ends.result()  # raises what has gone wrong
            ending.fault.over_at = datetime.now(UTC)


_LAST_BY_THEMSELVES = frozenset({"gateway_restart", "half_open", "outage"})


# --- processes --------------------------------------------------------------------------------------------------------


def _kill(program: str, number: signal.Signals = signal.SIGKILL) -> Callable[[Injector, Choices], Lift | None]:
    def make(to: Injector, _choices: Choices) -> Lift | None:
        to.site.send(program, number)
        return None

    return make


def _kill_child(to: Injector, _choices: Choices) -> Lift | None:
    children = to.site.children(to.site.pid("worker"))
    if not children:
        raise NotNow("the worker has no pool process yet")
    to.site.signal_pid(min(children), signal.SIGKILL)
    return None


def _freeze_desk(to: Injector, _choices: Choices) -> Lift | None:
    pid = to.site.send("desk", signal.SIGSTOP)
    return lambda: to.site.signal_pid(pid, signal.SIGCONT)


def _queued_ticks(to: Injector, _choices: Choices) -> Lift | None:
    """The worker stands still while the same ticks are queued again and again; then all of them run at once."""
    pid = to.site.pid("worker")
    frozen = [pid, *to.site.children(pid)]
    for process in frozen:
        to.site.signal_pid(process, signal.SIGSTOP)

    def thaw() -> None:
        for process in frozen:
            to.site.signal_pid(process, signal.SIGCONT)

    try:
        to.backlog.pile_up()
    except (Retryable, redis.RedisError, OSError):
        thaw()
        raise
    return thaw


def _second(*module: str) -> Callable[[Injector, Choices], Lift | None]:
    def make(to: Injector, _choices: Choices) -> Lift | None:
        copy = to.site.spawn(*module)

        def end() -> None:
            copy.kill()
            copy.wait(_COPY_PATIENCE_S)

        return end

    return make


def _kill_supervisord(to: Injector, _choices: Choices) -> Lift | None:
    """Its children go on without it; what a person does then is to start the instance again."""
    pid = to.site.stack.supervisor_pid()
    if pid is None:
        raise NotNow("supervisord does not run")
    to.site.signal_pid(pid, signal.SIGKILL)
    # Other faults go on meanwhile, and those that last end in their time.
    return lambda: _BESIDE.submit(_start_again, to.site)


def _start_again(site: Site) -> None:
    """As a person does: a start that comes to nothing, because its parts are hit meanwhile, is tried again."""
    for attempts_left in range(_STARTS - 1, -1, -1):
        try:
            site.stack.start()
        except (NotReady, SQLAlchemyError):
            if not attempts_left:
                raise
        else:
            return


# --- servers ----------------------------------------------------------------------------------------------------------


def _flush_redis(to: Injector, _choices: Choices) -> Lift | None:
    client = redis.Redis.from_url(to.site.settings.redis.url, socket_timeout=2)
    try:
        client.flushall()
    finally:
        client.close()
    return None


def _crash_postgres(to: Injector, choices: Choices) -> Lift | None:
    to.site.send("postgres", signal.SIGKILL if choices["abrupt"] else signal.SIGQUIT)
    return None


def _kill_backend(to: Injector, _choices: Choices) -> Lift | None:
    """End the desk's own connection for orders in the middle of whatever it does."""
    find = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'htbot-desk-orders'")
    with to.database.transaction() as session:
        if not session.execute(find).all():
            raise NotNow("the desk has no connection to PostgreSQL")
    return None


# --- between desk and gateway -----------------------------------------------------------------------------------------


def _disturb(
    kind: Kind, messages: frozenset[int] = frozenset(), pause_s: float = 0.0
) -> Callable[[Injector, Choices], Lift | None]:
    def make(to: Injector, choices: Choices) -> Lift | None:
        times = int(choices["times"]) if "times" in choices else None
        number = to.site.proxy.apply(Disturbance(kind, messages, times, pause_s))
        return lambda: to.site.proxy.lift([number])

    return make


def _truncate(to: Injector, _choices: Choices) -> Lift | None:
    to.site.proxy.apply(Disturbance(Kind.TRUNCATE, times=1))
    return None


# --- in the gateway ---------------------------------------------------------------------------------------------------


def _gateway(fault: str, **fixed: object) -> Callable[[Injector, Choices], Lift | None]:
    """A fault of the gateway's own; whole numbers and seconds are passed on under their names."""

    def make(to: Injector, choices: Choices) -> Lift | None:
        drawn = {name: f"{value:g}" for name, value in choices.items()}
        to.site.ask_gateway(fault, **fixed, **drawn)
        return None

    return make


def _outage(to: Injector, choices: Choices) -> Lift | None:
    lost = bool(choices["lost"])
    data, fills = ("lost", "learned") if lost else ("kept", "told")
    to.site.ask_gateway("outage", for_s=f"{choices['for_s']:g}", data=data, fills=fills)
    return None


def _cut_on_order(to: Injector, choices: Choices) -> Lift | None:
    to.site.ask_gateway("cut-on-order", order="accepted" if choices["accepted"] else "lost")
    return None


MAKE: dict[str, Callable[[Injector, Choices], Lift | None]] = {
    "kill_worker": _kill("worker"),
    "kill_child": _kill_child,
    "kill_desk": _kill("desk"),
    "freeze_desk": _freeze_desk,
    "kill_beat": _kill("beat"),
    "second_beat": _second("celery", "-A", "celery_app", "beat", "--scheduler",
                           "htbot.tasks.scheduler:MarketScheduler", "--pidfile="),
    "second_desk": _second("htbot.desk"),
    "kill_supervisord": _kill_supervisord,
    "kill_api": _kill("api"),
    "queued_ticks": _queued_ticks,
    "kill_redis": _kill("redis"),
    "restart_redis": _kill("redis", signal.SIGTERM),
    "flush_redis": _flush_redis,
    "restart_postgres": _kill("postgres", signal.SIGINT),
    "crash_postgres": _crash_postgres,
    "kill_backend": _kill_backend,
    "refuse": _disturb(Kind.REFUSE),
    "blackhole": _disturb(Kind.BLACKHOLE),
    "drop_reply": _disturb(Kind.DROP_REPLY),
    "drop_request": _disturb(Kind.DROP_REQUEST, _ORDERS),
    "truncate": _truncate,
    "duplicate": _disturb(Kind.DUPLICATE, _ORDERS),
    "slow": _disturb(Kind.SLOW, pause_s=_SLOW_PAUSE_S),
    "delay": _disturb(Kind.DELAY, pause_s=_DELAY_S),
    "reset": _disturb(Kind.RESET),
    "kill_gateway": _kill("paper"),
    "gateway_restart": _gateway("restart"),
    "disconnect": _gateway("disconnect"),
    "half_open": _gateway("half-open"),
    "outage": _outage,
    "drop_order": _gateway("drop-order"),
    "late_order": _gateway("late-order"),
    "lose_reply": _gateway("lose-reply"),
    "cut_on_order": _cut_on_order,
    "reject": _gateway("reject"),
    "refuse_modify": _gateway("refuse-modify"),
    "refuse_cancel": _gateway("refuse-cancel"),
    "partial_silence": _gateway("partial-silence"),
    "duplicate_reports": _gateway("duplicate-reports"),
    "withhold_commission": _gateway("withhold-commission"),
}  # fmt: skip
"""How each kind of `schedule.KINDS` is made; what lasts answers with how it is lifted."""
