"""Errors as one line and an exit code (INTERFACE, CLI)."""

from __future__ import annotations

import sys
from enum import IntEnum

from htbot.domain.errors import ConfigurationError, HtbotError, NotFound


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0
    ERROR = 1
    NOT_FOUND = 2
    NOT_RUNNING = 3
    CONFIGURATION = 4
    TIME_OUT = 5


class NotRunning(HtbotError):
    """Something that must be running is not."""


class TimedOut(HtbotError):
    """It did not end in the time that was given."""


_CODES: tuple[tuple[type[HtbotError], ExitCode], ...] = (
    (NotFound, ExitCode.NOT_FOUND),
    (ConfigurationError, ExitCode.CONFIGURATION),
    (NotRunning, ExitCode.NOT_RUNNING),
    (TimedOut, ExitCode.TIME_OUT),
)


def report(error: HtbotError) -> ExitCode:
    """Print the error, one line for each mistake it names, and return its exit code."""
    for line in str(error).splitlines():
        print(f"htbot: {line}", file=sys.stderr)
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.ERROR)
