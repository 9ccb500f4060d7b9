"""Waiting for what another process, thread or socket does, as long as a busy machine may need for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 90.0
"""Below the limit of a test. Whoever waits so long has something broken: it costs a run that is good nothing."""


async def settled(condition: Callable[[], object], what: str = "it did not come") -> None:
    """Wait for a condition in this loop.

    Raises:
        AssertionError: patience ran out first.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


def wait_for(condition: Callable[[], object], what: str = "it did not come") -> None:
    """Wait for a condition in this thread.

    Raises:
        AssertionError: patience ran out first.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
