"""What a check of `htbot doctor` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from htbot.bootstrap.doctor.site import Site


class State(StrEnum):
    """`skip` = it could not be looked at, because of another check that failed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    SKIP = "skip"


class Needs(StrEnum):
    """What has to answer before a check can look at anything."""

    NOTHING = ""
    RECORD = "PostgreSQL"
    REDIS = "Redis"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look has found: how it is, the value, and what to do about it."""

    state: State
    value: str
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. Its code is stable: scripts and runbooks go by it."""

    code: str
    name: str
    look: Callable[[Site], Seen]
    needs: Needs = Needs.NOTHING


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report, as people and scripts read it; `runbook` is a page below the project's root."""

    code: str
    check: str
    state: State
    value: str
    way_out: str
    runbook: str


def ok(value: str) -> Seen:
    """In order."""
    return Seen(State.OK, value)


def warn(value: str, way_out: str) -> Seen:
    """Trading goes on, and somebody should look."""
    return Seen(State.WARN, value, way_out)


def fail(value: str, way_out: str) -> Seen:
    """No trading, or no safe trading, until it is in order."""
    return Seen(State.FAIL, value, way_out)


def skip(value: str) -> Seen:
    """Nobody can say."""
    return Seen(State.SKIP, value)
