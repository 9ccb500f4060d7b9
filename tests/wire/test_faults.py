"""Faults over real sockets, met by ib_async and by a client that knows nothing but frames."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ib_async import IB, Contract, LimitOrder, MarketOrder, Stock
from tests.support.paper_process import PaperProcess
from tests.support.tws_client import framed, hello, order_message
from tests.support.waiting import PATIENCE_S, settled

from htbot.paper.faults.reading import words_to_fields
from htbot.paper.faults.talk import ask

START = "2026-03-04T10:00:00-05:00"
SPEED = 20.0
SPY = Stock("SPY", "SMART", "USD")


@pytest.fixture(scope="module")
def calendar_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calendar")


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("paper")


@pytest.fixture(scope="module")
def running(state_dir: Path, calendar_dir: Path) -> Iterator[PaperProcess]:
    process = PaperProcess(state_dir, calendar_dir, start=START, seed=3, speed=SPEED, control={"port": 0})
    process.start()
    yield process
    process.kill()


@pytest.fixture
def process(running: PaperProcess, state_dir: Path) -> Iterator[PaperProcess]:
    yield running
    ask(state_dir, {"do": "clear"})


@pytest.fixture
def fault(process: PaperProcess, state_dir: Path) -> Callable[[str], dict[str, Any]]:
    assert process.port

    def arm(line: str) -> dict[str, Any]:
        name, *words = line.split()
        return dict(ask(state_dir, {"do": "add", "fault": name, "fields": words_to_fields(words)}))

    return arm


async def quiet(seconds: float = 0.3) -> None:
    """Long enough for anything that would come."""
    for _ in range(int(seconds / 0.05)):
        await asyncio.sleep(0.05)


@asynccontextmanager
async def client(process: PaperProcess, client_id: int = 7) -> AsyncIterator[IB]:
    ib = IB()
    ib.codes = []  # type: ignore[attr-defined]
    ib.errorEvent += lambda _id, code, *_rest: ib.codes.append(code)  # type: ignore[attr-defined]
    await ib.connectAsync("127.0.0.1", process.port, clientId=client_id, timeout=PATIENCE_S)
    try:
        yield ib
    finally:
        if ib.isConnected():
            ib.reqGlobalCancel()
        ib.disconnect()


async def executed(ib: IB, ref: str, shares: float) -> None:
    """Ask until the executions of an order are all there."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = [fill.execution for fill in await ib.reqExecutionsAsync() if fill.execution.orderRef == ref]
            if sum(execution.shares for execution in found) >= shares:
                break
    assert sum(execution.shares for execution in found) == shares


async def spy(ib: IB) -> Contract:
    (contract,) = await ib.qualifyContractsAsync(SPY)
    assert contract is not None
    return contract


# --- ib_async ---------------------------------------------------------------------------------------------------------


async def test_a_dropped_order_stays_pending(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("drop-order ref=dropped")
        trade = ib.placeOrder(contract, MarketOrder("BUY", 10, orderRef="dropped"))
        await quiet()
        assert trade.orderStatus.status == "PendingSubmit"
        assert await ib.reqOpenOrdersAsync() == []
        assert [fill for fill in await ib.reqExecutionsAsync() if fill.execution.orderRef == "dropped"] == []


async def test_a_lost_reply_is_found_by_asking(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("lose-reply ref=lost")
        trade = ib.placeOrder(contract, MarketOrder("BUY", 10, orderRef="lost"))
        await quiet()
        assert trade.orderStatus.status == "PendingSubmit"
        await executed(ib, "lost", 10)


async def test_a_rejected_order_is_inactive(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("reject above=50")
        small = ib.placeOrder(contract, LimitOrder("BUY", 50, 1.0))
        large = ib.placeOrder(contract, LimitOrder("BUY", 51, 1.0))
        await settled(lambda: large.orderStatus.status == "Inactive")
        assert small.orderStatus.status == "Submitted"
        assert ib.codes.count(201) == 1


async def test_partial_fill_then_silence(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("partial-silence fill=3")
        trade = ib.placeOrder(contract, MarketOrder("BUY", 10, orderRef="partial"))
        await settled(lambda: trade.filled() == 3)
        await quiet(0.6)
        assert (trade.filled(), trade.orderStatus.status) == (3, "Submitted")
        await executed(ib, "partial", 10)


@pytest.mark.ruling(4)
async def test_a_refused_change_kills_only_the_librarys_trade(process: PaperProcess, fault: Any) -> None:
    """RULINGS 4: the library takes any error about an order for its end; the order works on."""
    async with client(process) as ib:
        contract = await spy(ib)
        trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
        await settled(lambda: trade.orderStatus.status == "Submitted")
        fault("refuse-modify")
        trade.order.lmtPrice = 2.0
        ib.placeOrder(contract, trade.order)
        await settled(lambda: 201 in ib.codes)
        (alive,) = await ib.reqOpenOrdersAsync()
        assert (alive.order.permId, alive.order.lmtPrice) == (trade.order.permId, 1.0)


async def test_a_late_order_arrives(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("late-order by_s=12")
        trade = ib.placeOrder(contract, MarketOrder("BUY", 10))
        before = await ib.reqCurrentTimeAsync()
        await settled(trade.isDone)
        assert trade.orderStatus.status == "Filled"
        assert (trade.fills[0].execution.time - before).total_seconds() >= 10


async def test_an_execution_is_corrected(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("correct-execution by=-0.25 after_s=2 ref=wrong")
        executions: list[Any] = []
        ib.execDetailsEvent += lambda _trade, fill: executions.append(fill.execution)
        ib.placeOrder(contract, MarketOrder("BUY", 10, orderRef="wrong"))
        await settled(lambda: len(executions) == 2)
        first, second = executions
        assert second.price == pytest.approx(first.price - 0.25)
        assert first.execId[:-3] == second.execId[:-3]
        assert first.execId < second.execId


async def test_a_refused_cancel_leaves_the_order_working(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
        await settled(lambda: trade.orderStatus.status == "Submitted")
        fault("refuse-cancel")
        ib.cancelOrder(trade.order)
        await settled(lambda: 10148 in ib.codes)
        assert [open_trade.order.permId for open_trade in await ib.reqOpenOrdersAsync()] == [trade.order.permId]


async def test_reports_that_come_twice_are_one_fill(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("duplicate-reports")
        told: list[str] = []
        ib.commissionReportEvent += lambda _trade, fill, _report: told.append(fill.execution.execId)
        trade = ib.placeOrder(contract, MarketOrder("BUY", 10))
        await settled(lambda: len(told) == 2)
        assert (len(trade.fills), trade.filled(), len(set(told))) == (1, 10, 1)


async def test_a_withheld_commission_is_got_by_asking(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("withhold-commission")
        trade = ib.placeOrder(contract, MarketOrder("BUY", 10, orderRef="withheld"))
        await settled(trade.isDone)
        await quiet()
        assert trade.fills[0].commissionReport.commission == 0
        await ib.reqExecutionsAsync()
        assert trade.fills[0].commissionReport.commission > 0


async def test_the_order_outlives_the_connection_that_went_with_it(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        fault("cut-on-order order=accepted ref=cut")
        trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0, orderRef="cut"))
        await settled(lambda: not ib.isConnected())
        assert trade.orderStatus.status == "PendingSubmit"
    async with client(process) as again:
        assert [found.order.orderRef for found in await again.reqOpenOrdersAsync()] == ["cut"]


@pytest.mark.fault(26)
async def test_fills_during_an_outage_are_told_after_1102(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        first = await ib.reqCurrentTimeAsync()
        timed = MarketOrder("BUY", 1, goodAfterTime=f"{first + timedelta(seconds=20):%Y%m%d-%H:%M:%S}")
        trade = ib.placeOrder(contract, timed)
        await settled(lambda: trade.orderStatus.status == "PreSubmitted")
        began = datetime.fromisoformat(fault("outage for_s=80")["from"])
        await settled(lambda: 1102 in ib.codes)
        await settled(trade.isDone)
        (fill,) = trade.fills
        assert first + timedelta(seconds=20) <= fill.execution.time < began + timedelta(seconds=80)


async def test_the_link_goes_and_comes_back_with_data_lost(process: PaperProcess, fault: Any) -> None:
    async with client(process) as ib:
        contract = await spy(ib)
        ticker = ib.reqMktData(contract)
        await settled(lambda: ticker.bid == ticker.bid)
        fault("outage for_s=20 data=lost")
        await settled(lambda: 1100 in ib.codes)
        trade = ib.placeOrder(contract, MarketOrder("BUY", 10))
        await settled(lambda: 1101 in ib.codes)
        assert ib.codes.index(2103) < ib.codes.index(1101)
        await settled(trade.isDone)
        assert trade.orderStatus.status == "Filled"
        stood = ticker.time
        await quiet()
        assert ticker.time == stood
        again = ib.reqMktData(contract)
        await settled(lambda: again.time is not None and again.time != stood)


# --- sockets ----------------------------------------------------------------------------------------------------------


def raw(process: PaperProcess) -> socket.socket:
    """A socket that has greeted."""
    peer = socket.create_connection(("127.0.0.1", process.port), PATIENCE_S)
    peer.sendall(hello())
    receive(peer)
    return peer


def joined(process: PaperProcess, client_id: int) -> socket.socket:
    """A raw client that has got everything that comes with joining."""
    peer = raw(process)
    peer.sendall(framed(71, 2, client_id, ""))
    while receive(peer)[0] != "9":
        pass
    drained(peer)
    return peer


def receive(peer: socket.socket) -> list[str]:
    (length,) = struct.unpack(">I", exactly(peer, 4))
    return exactly(peer, length).decode().split("\0")[:-1]


def exactly(peer: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = peer.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def drained(peer: socket.socket, quiet_s: float = 0.3) -> bool:
    """Read until nothing comes; False when the peer has ended."""
    peer.settimeout(quiet_s)
    try:
        while peer.recv(65536):
            pass
    except TimeoutError:
        return True
    return False


def test_a_reset_is_a_reset(process: PaperProcess, fault: Any) -> None:
    peer = joined(process, 21)
    fault("disconnect client=21 how=reset")
    with pytest.raises(ConnectionResetError):
        drained(peer, PATIENCE_S)
    peer.close()
    joined(process, 21).close()


def test_a_close_is_a_close(process: PaperProcess, fault: Any) -> None:
    with joined(process, 22) as peer:
        fault("disconnect client=22 how=close")
        assert not drained(peer, PATIENCE_S)


def test_half_open_answers_nothing_and_keeps_the_id(process: PaperProcess, fault: Any) -> None:
    with raw(process) as after:
        with joined(process, 23) as peer:
            fault("half-open client=23")
            peer.sendall(framed(49, 1))
            assert drained(peer)
            with raw(process) as beside:
                assert answer_to_start(beside, 23) == "326"
        assert answer_to_start(after, 23) == "326"  # nobody has seen the end of the first
    asyncio.run(settled(lambda: _comes_in(process, 23)))


def answer_to_start(peer: socket.socket, client_id: int) -> str:
    """The code of the error that answers startApi, or the first account."""
    peer.sendall(framed(71, 2, client_id, ""))
    answer = receive(peer)
    return answer[3] if answer[0] == "4" else answer[2]


def _comes_in(process: PaperProcess, client_id: int) -> bool:
    with raw(process) as peer:
        return answer_to_start(peer, client_id) != "326"


def test_a_restart_refuses_and_comes_back_with_lower_ids(process: PaperProcess, fault: Any) -> None:
    asyncio.run(_restart(process, fault))


async def _restart(process: PaperProcess, fault: Any) -> None:
    async with client(process, 8) as ib:
        contract = await spy(ib)
        trades = [ib.placeOrder(contract, LimitOrder("BUY", 1, 1.0, tif="GTC")) for _ in range(5)]
        await settled(lambda: all(trade.orderStatus.status == "Submitted" for trade in trades))
        last = trades[-1].order.orderId
        over = trades.pop(1)
        ib.cancelOrder(over.order)
        await settled(over.isDone)
        fault("restart for_s=60 ids_back=4")  # three seconds here
        await settled(lambda: not ib.isConnected())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", process.port), PATIENCE_S)

    def back() -> bool:
        try:
            socket.create_connection(("127.0.0.1", process.port), PATIENCE_S).close()
        except ConnectionRefusedError:
            return False
        return True

    await settled(back)
    with raw(process) as peer:
        peer.sendall(framed(71, 2, 8, ""))
        assert [receive(peer)[0], receive(peer)] == ["15", ["9", "1", str(last - 3)]]
        peer.sendall(framed(*order_message(last - 3, SPY, MarketOrder("BUY", 1))))
        assert "103" in {receive(peer)[3] for _ in range(5)}
    async with client(process, 8) as again:
        open_orders = await again.reqOpenOrdersAsync()
        assert [trade.order.orderId for trade in open_orders] == [trade.order.orderId for trade in trades]
        done = again.placeOrder(contract, LimitOrder("BUY", 1, 1.0, orderId=last + 1))
        await settled(lambda: done.orderStatus.status == "Submitted")


def test_a_script_is_played_and_goes_on_after_a_kill(tmp_path: Path, calendar_dir: Path) -> None:
    script = tmp_path / "day.yaml"
    script.write_text("- {fault: reject, nth: 2, reason: second}\n- {fault: disconnect, at: '15:55'}\n")
    state = tmp_path / "paper"
    process = PaperProcess(state, calendar_dir, start=START, seed=3, speed=1.0, control={"port": 0}, faults=str(script))
    process.start()
    assert asyncio.run(_one_order(process)) == "Submitted"
    process.kill()
    process.start()
    assert asyncio.run(_one_order(process)) == "Inactive"
    rows = ask(state, {"do": "list"})
    process.kill()
    assert [(row["source"], row["met"], row["state"]) for row in rows] == [
        ("line 1", 1, "over"),
        ("line 2", 0, "armed"),
    ]


async def _one_order(process: PaperProcess) -> str:
    async with client(process, 5) as ib:
        trade = ib.placeOrder(await spy(ib), LimitOrder("BUY", 1, 1.0))
        await settled(lambda: trade.orderStatus.status in {"Submitted", "Inactive"})
        return str(trade.orderStatus.status)
