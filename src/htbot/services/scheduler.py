"""The scheduler as people see and set it: running, paused (no entries, exits go on) or stopped (nobody is asked)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from htbot.domain.scheduler import SchedulerSetting, SchedulerState
from htbot.domain.sessions import NEW_YORK
from htbot.persistence.engine import Database
from htbot.persistence.queries.scheduler import SchedulerStats, scheduler_stats
from htbot.persistence.records import AuditEntry, Halt
from htbot.persistence.repositories import AuditRepository, HaltRepository, SchedulerRepository, SessionRepository
from htbot.services.callers import Caller, Conflict
from htbot.services.desk_view import DeskView, Live, look
from htbot.services.entry_hours import EntryHours, outside_hours
from htbot.services.once import Act, once
from htbot.services.schedule import EVALUATE_BARS, EVALUATE_PART, READ_MARKET, ScheduleRow

ASKING = (READ_MARKET, EVALUATE_PART)
"""Tasks in which strategies are asked."""
_ASKED_BY = {READ_MARKET, EVALUATE_BARS}


@dataclass(frozen=True, slots=True)
class SchedulerParts:
    """What the service works with; `rows` is the schedule, `host_now` wall time.

    `hours` are the entry windows of the strategies that may trade; `switched_off` says why none of them may.
    """

    database: Database
    live: Live
    rows: tuple[ScheduleRow, ...]
    host_now: Callable[[], datetime]
    hours: Callable[[Session], Sequence[EntryHours]]
    switched_off: str | None = None


@dataclass(frozen=True, slots=True)
class RowView:
    """A periodic task; `period_s` is market time. `runs` is False while the scheduler's state keeps it from working."""

    task: str
    period_s: int
    needs_desk: bool
    runs: bool


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """`can_run`: running, in market hours, connected, nothing halts, the desk lets entries leave, a window is open.

    `why_not` is the first thing that keeps it from it; `market_time` null while no desk tells it.
    """

    state: SchedulerState
    since: datetime | None
    set_by: str
    can_run: bool
    why_not: str | None
    is_market_hours: bool
    ibkr_connected: bool
    market_time: datetime | None
    stats: SchedulerStats
    config: list[RowView]


class Scheduler:
    """Every change is one row and one act in the audit log; workers read the row with each decision."""

    def __init__(self, parts: SchedulerParts) -> None:
        self._parts = parts

    def setting(self) -> SchedulerSetting:
        """The state as it is set."""
        with self._parts.database.transaction() as session:
            return SchedulerRepository(session).get()

    def status(self) -> SchedulerStatus:
        """The state, what it has come to today, and whether anything could be entered now."""
        desk, host_now = self._desk(), self._parts.host_now()
        now = desk.market_time or host_now
        with self._parts.database.transaction() as session:
            setting = SchedulerRepository(session).get()
            stats = scheduler_stats(session, now.astimezone(NEW_YORK).date(), ASKING, host_now)
            halted = _halting_all(HaltRepository(session).active(now), desk.accounts)
            today = SessionRepository(session).get(now.astimezone(NEW_YORK).date())
            hours = self._parts.hours(session)
        is_open = today is not None and today.contains(now)
        connected = desk.state == "running" and desk.connection == "connected"
        reasons = (
            setting.refuses_entries,
            None if is_open else "the market is closed",
            None if connected else f"the desk is not connected: {desk.connection}",
            f"halted by {', '.join(halt.source for halt in halted)}" if halted else None,
            _desk_refuses(desk) if connected else None,
            self._parts.switched_off,
            None if today is None else outside_hours(hours, today, now),
        )
        why_not = next((reason for reason in reasons if reason is not None), None)
        return SchedulerStatus(
            state=setting.state,
            since=setting.since,
            set_by=setting.set_by,
            can_run=why_not is None,
            why_not=why_not,
            is_market_hours=is_open,
            ibkr_connected=connected,
            market_time=desk.market_time,
            stats=stats,
            config=[
                RowView(row.task, row.period_s, row.needs_desk, row.task not in _ASKED_BY or not setting.stopped)
                for row in self._parts.rows
            ],
        )

    def start(self, caller: Caller) -> SchedulerSetting:
        """Run, from whatever state."""
        return self._set(SchedulerState.RUNNING, "start", caller)

    def stop(self, caller: Caller) -> SchedulerSetting:
        """Ask no strategy for an entry; exits, those that strategies want themselves too, guards and mails go on."""
        return self._set(SchedulerState.STOPPED, "stop", caller)

    def pause(self, caller: Caller) -> SchedulerSetting:
        """Enter nothing; strategies are asked and refused, exits go on.

        Raises:
            Conflict: it is stopped.
        """
        return self._set(SchedulerState.PAUSED, "pause", caller)

    def resume(self, caller: Caller) -> SchedulerSetting:
        """End a pause.

        Raises:
            Conflict: it is stopped.
        """
        return self._set(SchedulerState.RUNNING, "resume", caller)

    def _set(self, state: SchedulerState, act: str, caller: Caller) -> SchedulerSetting:
        at = self._desk().market_time or self._parts.host_now()
        with self._parts.database.transaction() as session:

            def work() -> SchedulerSetting:
                before = SchedulerRepository(session).get()
                if before.stopped and act in {"pause", "resume"}:
                    raise Conflict(f"the scheduler is stopped: start it, there is nothing to {act}")
                if before.state is state:
                    return before
                setting = SchedulerSetting(state, at, caller.actor)
                SchedulerRepository(session).set(setting)
                detail: dict[str, Any] = {"before": before.state.value, "after": state.value}
                AuditRepository(session).add(AuditEntry(at, caller.actor, f"scheduler.{act}", state.value, detail))
                return setting

            return once(session, Act(f"scheduler.{act}", {}, caller, at), SchedulerSetting, work)

    def _desk(self) -> DeskView:
        return look(self._parts.live, self._parts.host_now())


def _halting_all(halts: list[Halt], accounts: Collection[str]) -> list[Halt]:
    """Halts that leave no account to enter in."""
    left = set(accounts) - {halt.account for halt in halts if halt.account is not None}
    return [halt for halt in halts if halt.account is None or not left]


def _desk_refuses(desk: DeskView) -> str | None:
    if desk.clock is None or desk.clock.trading_enabled:
        return None
    return f"the desk lets no entry leave: {desk.clock.reason or 'it does not say why'}"
