from __future__ import annotations

import asyncio

import pytest

from htbot.api.rooms import LIMITS, Full, Limits, Room, RouteClass, class_of

HERE, THERE = "127.0.0.1", "192.0.2.7"


@pytest.mark.parametrize(
    ("kind", "method", "path", "expected"),
    [
        ("http", "GET", "/status", RouteClass.STATUS),
        ("http", "GET", "/", RouteClass.PROBE),
        ("http", "GET", "/trades", RouteClass.READ),
        ("http", "HEAD", "/trades", RouteClass.READ),
        ("http", "POST", "/close/all", RouteClass.ACT),
        ("http", "POST", "/status", RouteClass.ACT),
        ("http", "DELETE", "/x", RouteClass.ACT),
        ("websocket", "", "/ws", RouteClass.STREAM),
        ("websocket", "", "/dashboard/_nicegui_ws/socket.io/", RouteClass.DASHBOARD),
        ("http", "POST", "/dashboard", RouteClass.DASHBOARD),
        ("http", "GET", "/dashboards", RouteClass.READ),
    ],
)
def test_every_call_has_a_class(kind: str, method: str, path: str, expected: RouteClass) -> None:
    assert class_of(kind, method, path) is expected


def test_every_class_has_limits() -> None:
    assert set(LIMITS) == set(RouteClass)


async def test_a_call_waits_for_a_place_and_not_for_ever() -> None:
    room = Room(Limits(at_once=1, queue=1, share=9))
    await room.enter(HERE)
    with pytest.raises(Full):
        await room.enter(HERE, patience_s=0.01)
    waiting = asyncio.create_task(room.enter(HERE))
    await asyncio.sleep(0)
    with pytest.raises(Full):  # the queue is full too: at once
        await room.enter(HERE)
    room.leave(HERE)
    await waiting
    room.leave(HERE)
    await room.enter(HERE, patience_s=0.01)


async def test_one_client_does_not_take_all_places() -> None:
    room = Room(Limits(at_once=9, queue=0, share=2))
    await room.enter(THERE)
    await room.enter(THERE)
    with pytest.raises(Full):
        await room.enter(THERE)
    await room.enter("192.0.2.8")
    room.leave(THERE)
    await room.enter(THERE)
    for _ in range(6):  # programs of this machine are not told apart
        await room.enter(HERE)
    with pytest.raises(Full):
        await room.enter(HERE)


async def test_a_call_that_is_cancelled_while_it_waits_leaves_nothing_behind() -> None:
    room = Room(Limits(at_once=1, queue=5, share=2))
    await room.enter(THERE)
    waiting = asyncio.create_task(room.enter(THERE))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    room.leave(THERE)
    await room.enter(THERE)
    room.leave(THERE)
    assert not room._shares
    assert room._inside == 0
