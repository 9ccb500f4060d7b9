"""Old rows are forgotten once an hour, while the exchange is closed."""

from __future__ import annotations

from htbot.persistence.repositories import SessionRepository
from htbot.services.retention import Keep, forget
from htbot.services.schedule import FORGET_OLD
from htbot.tasks.app import app
from htbot.tasks.base import Run, register


def forget_what_is_old(run: Run) -> str:
    """A few pages of what is older than it is to be kept; nothing within a session."""
    if SessionRepository(run.transaction).open_at(run.as_of):
        return "not while the exchange is open"
    schedule = run.parts.settings.schedule
    keep = Keep(schedule.keep_evaluations_days, schedule.keep_runs_days)
    return str(forget(run.parts.database, keep, run.parts.host_now()))


forget_old = register(app, FORGET_OLD, forget_what_is_old)
