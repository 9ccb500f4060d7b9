"""A batch of claims that is not sent to its end leaves nothing behind that this process does not know of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.support.record import NOON, entry, trade

from htbot.desk.open_book import OpenBook
from htbot.desk.order_numbers import OrderNumbers
from htbot.desk.order_parts import OrderParts
from htbot.desk.orders import OrderDesk
from htbot.desk.record import Claim
from htbot.domain.orders import IntentState, OrderIntent, OrderState
from htbot.persistence.records import StoredIntent

TRADES = [trade(number, opened_at=NOON) for number in (1, 2, 3)]
INTENTS = [entry(of, number) for number, of in enumerate(TRADES, 1)]
REFS = [intent.ref for intent in INTENTS]


class Socket:
    """A session that does something else than sending at its first order."""

    connected, next_valid_id = True, 1

    def __init__(self, first: Callable[[], object]) -> None:
        self.first = first
        self.placed: list[str] = []

    def place(self, intent: OrderIntent, _order_id: int, _limit: Decimal, _quantity: int) -> None:
        self.placed.append(intent.ref)
        if len(self.placed) == 1:
            self.first()


class Claims:
    """A database whose only transaction claims three entries."""

    async def run(self, _work: object) -> list[Claim]:
        return [
            Claim(StoredIntent(intent, number, IntentState.SENDING, NOON), number, trade=of)
            for number, (intent, of) in enumerate(zip(INTENTS, TRADES, strict=True), 1)
        ]


def desk_of(socket: Socket, book: OpenBook) -> OrderDesk:
    last_look = SimpleNamespace(
        at_entry=lambda *_: None, enabled=lambda: True, halted_by=lambda _account: None, halted=dict
    )
    parts: dict[str, Any] = {
        "session": socket,
        "database": Claims(),
        "ledger": SimpleNamespace(),
        "record": SimpleNamespace(client_id=7),
        "book": book,
        "numbers": OrderNumbers(),
        "last_look": last_look,
        "marks_of": lambda _intent: None,
        "broken": lambda _error: None,
        "ended": lambda: None,
        "changed": lambda _held, _now: None,
        "clock": lambda: NOON,
        "market_open": lambda _now: True,
    }
    return OrderDesk(OrderParts(**parts))


def known_to(desk: OrderDesk, book: OpenBook) -> None:
    assert [live.intent.ref for live in desk.live] == REFS
    assert [live.state for live in desk.live[1:]] == [OrderState.UNKNOWN] * 2
    assert [live.order_id for live in desk.live] == [1, 2, 3]
    assert all(book.get(of.id) is not None for of in TRADES)


async def test_a_loop_that_is_cancelled_between_two_orders_leaves_the_rest_in_doubt() -> None:
    socket, book = Socket(lambda: cast("asyncio.Task[object]", asyncio.current_task()).cancel()), OpenBook()
    desk = desk_of(socket, book)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(desk.pump())
    assert socket.placed == REFS[:1]
    known_to(desk, book)


@pytest.mark.parametrize("error", [ConnectionError, ValueError])
async def test_an_error_at_the_socket_leaves_the_rest_in_doubt(error: type[Exception]) -> None:
    def fail() -> None:
        raise error("at the socket")

    socket, book = Socket(fail), OpenBook()
    desk = desk_of(socket, book)
    with pytest.raises(error, match="at the socket"):
        await desk.pump()
    assert socket.placed == REFS[:1]
    known_to(desk, book)
