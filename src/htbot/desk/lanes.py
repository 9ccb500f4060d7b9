"""Lanes that run beside each other and end together."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

_CANCEL_AGAIN_S = 1.0


async def first(*lanes: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends, with its error if it has one; then all of them have ended."""
    tasks = [asyncio.ensure_future(lane) for lane in lanes]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(tasks)
    for task in done:
        task.result()


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: `asyncio.wait_for` of Python 3.11 loses a cancel that meets the request's answer.

    A lane that lives on so, as the end of a session answers everything at once, would keep the desk off the broker.
    """
    pending: Collection[asyncio.Task[None]] = tasks
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # heard: the first one's error is raised, if it has one
