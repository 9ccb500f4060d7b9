"""Lanes of the desk end together, also one that loses a cancel."""

from __future__ import annotations

import asyncio

import pytest

from htbot.desk.pace import first


async def test_a_lane_that_loses_a_cancel_is_cancelled_again() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    async def short() -> None:
        await asyncio.sleep(0)

    await first(deaf(), short())
    assert lost == 1


async def test_the_error_of_the_first_that_ends_is_raised_and_the_others_have_ended() -> None:
    ended = []

    async def long() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("long")
            raise ConnectionError("as the socket is gone")

    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        await first(long(), failing())
    assert ended == ["long"]
