from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import ib_async as ib
import pytest
from tests.support import record
from tests.support.waiting import PATIENCE_S

from htbot.adapters.ib.session import IbAddress, IbSession
from htbot.domain.errors import Retryable
from htbot.domain.margin import MarginQuestion, WhatIf

QUESTION = MarginQuestion.of(record.entry(record.trade()))


class Line:
    """A socket whose other end a test plays."""

    def __init__(self) -> None:
        self.orders: list[tuple[int, ib.Contract, ib.Order]] = []

    def placeOrder(self, order_id: int, contract: ib.Contract, order: ib.Order) -> None:  # noqa: N802 - ib_async's name
        self.orders.append((order_id, contract, order))


def connected() -> tuple[IbSession, Line]:
    session, line = IbSession(IbAddress("127.0.0.1", 1, 7), lambda _message: None), Line()
    session._client = line
    return session, line


async def test_a_broker_that_is_silent_about_a_what_if_leaves_it_unknown() -> None:
    session, line = connected()
    answer = await session.what_if(QUESTION, 50, within_s=0.01)
    assert answer == WhatIf(unknown="the broker did not answer within 0.01 s")
    [(order_id, _contract, order)] = line.orders
    assert (order_id, order.whatIf, order.totalQuantity) == (50, True, QUESTION.quantity)


async def test_margins_that_are_left_out_do_not_wait_for_the_time_out() -> None:
    session, line = connected()
    unset = "1.7976931348623157E308"

    def answering(order_id: int, contract: ib.Contract, order: ib.Order) -> None:
        line.orders.append((order_id, contract, order))
        state = ib.OrderState(initMarginChange=unset, initMarginAfter=unset, equityWithLoanAfter="100470.00")
        session._wrapper.openOrder(order_id, contract, order, state)

    line.placeOrder = answering  # type: ignore[method-assign]
    answer = await session.what_if(QUESTION, 50, within_s=60)
    assert answer == WhatIf(equity_with_loan_after=Decimal("100470.00"))


async def test_a_late_answer_is_nobodys() -> None:
    session, line = connected()
    assert (await session.what_if(QUESTION, 50, within_s=0.01)).unknown
    state: Any = ib.OrderState(initMarginChange="1", initMarginAfter="1", equityWithLoanAfter="2")
    session._wrapper.openOrder(50, *line.orders[0][1:], state)
    assert (await session.what_if(QUESTION, 51, within_s=0.01)).unknown


async def test_a_gateway_that_hangs_up_on_us_is_tried_again_without_waiting_for_the_time_out() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    session = IbSession(IbAddress("127.0.0.1", server.sockets[0].getsockname()[1], 7), lambda _message: None)
    async with server, asyncio.timeout(PATIENCE_S):
        for _ in range(2):
            with pytest.raises(Retryable, match="as client 7"):
                await session.connect()
    assert not session.connected


async def test_a_session_without_positions_is_none_since_nothing_would_seem_to_be_held() -> None:
    """ib_async logs that positions were not told in time and goes on."""
    session = IbSession(IbAddress("127.0.0.1", 1, 7), lambda _message: None)

    async def connect(*_where: object, **_options: object) -> None:
        """All that ib_async says of it is in its log."""

    session._ib.connectAsync = connect  # type: ignore[method-assign, assignment]
    with pytest.raises(Retryable, match="positions were not told within 10 s"):
        await session.connect()


class Transport:
    def __init__(self) -> None:
        self.limits: list[int] = []

    def set_write_buffer_limits(self, high: int) -> None:
        self.limits.append(high)


def test_what_is_written_does_not_wait_for_the_end_of_the_turn_and_a_lost_session_is_no_error() -> None:
    session, line = connected()
    transport = Transport()
    line.conn = SimpleNamespace(transport=transport)
    session._write_at_once()
    assert transport.limits == [0]
    line.conn.transport = None
    session._write_at_once()
    assert transport.limits == [0]
