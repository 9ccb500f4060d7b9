"""Who has the interpreter: what comes from the broker is heard undisturbed by database threads (decision 0042).

Python's switch interval is how long a thread waits for the interpreter until it asks for it. The event loop wants it
back soon when something has come; a database thread is to be patient while the event loop hears, looks and closes.
There is one interval for all threads, and a thread reads it when it begins to wait, so it is set by turns.
"""

from __future__ import annotations

import sys

# How soon the event loop gets the interpreter back from a busy database thread. Python's own 5 ms each time would hold
# up a close at every step on its way: 64 ms instead of 17 at 2,000 ticks a second on a busy host (bench_desk.py).
SOON_S = 0.00001
# How long a database thread waits for it while the event loop looks.
PATIENT_S = 0.0005


_present_s = [SOON_S]
"""What was set last: Python tells its interval cut to whole microseconds, and to set that again would wear it down."""


class _Interval:
    """The switch interval while a block runs; the one before it afterwards."""

    __slots__ = ("_before_s", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._before_s = SOON_S

    def __enter__(self) -> None:
        self._before_s = _present_s[0]
        _set(self._seconds)

    def __exit__(self, *_error: object) -> None:
        _set(self._before_s)


def _set(seconds: float) -> None:
    _present_s[0] = seconds
    sys.setswitchinterval(seconds)


def begin() -> None:
    """From now on every thread gets the interpreter soon, but for the blocks below."""
    _set(SOON_S)


def undisturbed() -> _Interval:
    """Of the event loop: nobody takes the interpreter away for a moment. Short blocks that wait for nothing."""
    return _Interval(PATIENT_S)


def giving_way() -> _Interval:
    """Within such a block: the event loop waits for another thread, and wants the interpreter back soon after that."""
    return _Interval(SOON_S)
