from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from selectors import BaseSelector
from typing import Any

import ib_async as ib
import pytest
from tests.support.record import entry, trade

from htbot.adapters.ib.lanes import DATA_PER_S, ORDERS_PER_S, LaneClient
from htbot.adapters.ib.session import IbAddress, IbSession
from htbot.adapters.ib.translation import bag_contract, intent_order


class Clockwork(asyncio.SelectorEventLoop):
    """A loop whose time moves when a test says so."""

    def __init__(self, selector: BaseSelector | None = None) -> None:
        super().__init__(selector)
        self.moved_s = 0.0

    def time(self) -> float:
        return 1000.0 + self.moved_s


class Wire:
    """What has gone to the socket: kind and first id of each message."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []

    def sendMsg(self, frame: bytes) -> None:  # noqa: N802
        self.sent.append(frame[4:].decode().split("\0"))

    def take(self) -> list[str]:
        kinds = [fields[0] for fields in self.sent]
        self.sent.clear()
        return kinds


def client(*, throttled: bool = True) -> tuple[LaneClient, Wire]:
    wire = Wire()
    made: Any = LaneClient(ib.wrapper.Wrapper(ib.IB()), throttled=throttled)
    made.conn, made.connState, made._serverVersion = wire, LaneClient.CONNECTED, 178
    return made, wire


def ask(session: Any, count: int) -> None:
    """Requests for data, a contract each."""
    for number in range(count):
        session.reqContractDetails(number, ib.Contract(conId=number + 1))


def place(session: Any, order_id: int) -> None:
    intent = entry(trade(1), 1)
    session.placeOrder(order_id, bag_contract(intent), intent_order(intent, order_id, Decimal(-4)))


def run(main: Any) -> None:
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        runner.run(main())


async def pass_time(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Clockwork)
    loop.moved_s += seconds
    for _ in range(3):
        await asyncio.sleep(0)


def test_an_order_passes_a_hundred_waiting_requests() -> None:
    async def main() -> None:
        session, wire = client()
        ask(session, 100)
        assert wire.take() == ["9"] * DATA_PER_S
        place(session, 7)
        session.cancelOrder(7, "")
        assert wire.take() == ["3", "4"]
        assert session.waiting == 60

    run(main)


def test_requests_go_on_in_their_order_within_the_budget_that_orders_leave() -> None:
    async def main() -> None:
        session, wire = client()
        ask(session, 100)
        wire.sent.clear()
        for order_id in range(5):
            place(session, order_id)
        assert wire.take() == ["3"] * 5
        await pass_time(0.99)
        assert wire.take() == []
        await pass_time(0.02)
        first = [fields[2] for fields in wire.sent]
        assert first == [str(number) for number in range(40, 80)]
        wire.sent.clear()
        await pass_time(1.01)
        assert [fields[2] for fields in wire.sent] == [str(number) for number in range(80, 100)]
        assert session.waiting == 0

    run(main)


def test_more_orders_than_a_broker_takes_wait_for_orders_only() -> None:
    async def main() -> None:
        session, wire = client()
        for order_id in range(60):
            place(session, order_id)
        ask(session, 10)
        assert wire.take() == ["3"] * ORDERS_PER_S
        await pass_time(1.01)
        assert wire.take() == ["3"] * 12 + ["9"] * 10

    run(main)


def test_an_order_takes_the_first_room_there_is() -> None:
    async def main() -> None:
        session, wire = client()
        for order_id in range(8):
            place(session, order_id)
        await pass_time(0.5)
        ask(session, 100)
        for order_id in range(16):
            place(session, order_id)
        wire.sent.clear()
        place(session, 99)
        assert wire.take() == []
        await pass_time(0.51)
        assert wire.take()[0] == "3"

    run(main)


def test_never_more_than_a_broker_takes_in_any_second() -> None:
    async def main() -> None:
        session, wire = client()
        left_at: list[float] = []
        loop = asyncio.get_running_loop()
        for number in range(300):
            ask(session, 1)
            if number % 10 == 0:
                place(session, number)
            left_at += [loop.time()] * len(wire.take())
            await pass_time(0.01)
            left_at += [loop.time()] * len(wire.take())
        assert len(left_at) > 120
        assert all(sum(0 <= other - at < 0.999 for other in left_at) <= ORDERS_PER_S for at in left_at)

    run(main)


def test_what_waits_is_forgotten_with_its_session() -> None:
    async def main() -> None:
        session, wire = client()
        ask(session, 100)
        wire.sent.clear()
        session.reset()
        session.connState, session._serverVersion = LaneClient.CONNECTED, 178  # a new one
        assert session.waiting == 0
        ask(session, 1)
        await pass_time(1.01)
        assert wire.take() == ["9"]

    run(main)


@pytest.mark.parametrize(("address", "at_once"), [
    (IbAddress("127.0.0.1", 4102, 7), DATA_PER_S),
    (IbAddress("127.0.0.1", 4102, 7, throttled=False), 100),
    (IbAddress("127.0.0.1", 4102, 7, stepped=True), 100),
])  # fmt: skip
def test_a_session_keeps_to_the_budget_unless_nobody_counts(address: IbAddress, at_once: int) -> None:
    async def main() -> None:
        session, wire = IbSession(address, lambda _message: None), Wire()
        own: Any = session._client
        own.conn, own.connState, own._serverVersion = wire, LaneClient.CONNECTED, 178
        ask(own, 100)
        assert len(wire.take()) == at_once
        session.place(entry(trade(1), 1), 7, Decimal(-4))
        assert wire.take() == ["3"]
        own.reset()

    run(main)


async def test_a_packet_is_heard_to_its_end_undisturbed_also_when_it_cannot_be_read() -> None:
    inside, heard = [False], []

    @contextmanager
    def undisturbed() -> Iterator[None]:
        inside[0] = True
        try:
            yield
        finally:
            inside[0] = False

    wrapper = ib.wrapper.Wrapper(ib.IB())
    wrapper.currentTime = lambda seconds: heard.append((seconds, inside[0]))
    session: Any = LaneClient(wrapper, throttled=True, undisturbed=undisturbed)
    session.connState, session._serverVersion, session._apiReady = LaneClient.CONNECTED, 178, True
    frame = b"49\x001\x001700000000\x00"
    session._onSocketHasData(len(frame).to_bytes(4, "big") + frame)
    assert heard == [(1700000000, True)]
    assert inside == [False]
    with pytest.raises(TypeError):
        session._onSocketHasData(None)
    assert inside == [False]
