"""The scheduler: whether strategies are asked, and whether anything may be entered."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from htbot.api.auth import Operator, require
from htbot.api.parts import Key, Parts, caller
from htbot.domain.scheduler import SchedulerSetting
from htbot.persistence.queries.scheduler import SchedulerStats
from htbot.services.scheduler import SchedulerStatus
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/scheduler", tags=["scheduler"], dependencies=[Depends(require(Role.VIEWER))])


@router.get("/status", summary="State, what it has come to today, and whether anything could be entered now")
def status(parts: Parts) -> SchedulerStatus:
    """`why_not` names the first thing that keeps entries back."""
    return parts.scheduler.status()


@router.get("/stats", summary="What the scheduled work has come to today")
def stats(parts: Parts) -> SchedulerStats:
    """Counts of the session day."""
    return parts.scheduler.status().stats


@router.post("/start", summary="Run")
def start(parts: Parts, principal: Operator, key: Key = None) -> SchedulerSetting:
    """From whatever state; one that runs stays as it is."""
    return parts.scheduler.start(caller(principal, key))


@router.post("/stop", summary="Ask no strategy; exits and guards go on")
def stop(parts: Parts, principal: Operator, key: Key = None) -> SchedulerSetting:
    """Nothing is entered either, by nobody."""
    return parts.scheduler.stop(caller(principal, key))


@router.post("/pause", summary="Enter nothing; exits go on")
def pause(parts: Parts, principal: Operator, key: Key = None) -> SchedulerSetting:
    """Strategies are asked, their entries are refused; so are those that a person proposes. 409 when it is stopped."""
    return parts.scheduler.pause(caller(principal, key))


@router.post("/resume", summary="End a pause")
def resume(parts: Parts, principal: Operator, key: Key = None) -> SchedulerSetting:
    """409 when it is stopped. Halts are lifted by `POST /resume`, not here."""
    return parts.scheduler.resume(caller(principal, key))
