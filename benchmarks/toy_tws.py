"""A TWS for benchmarks: one account, option lines that tick as fast as told, orders that do what a test wants.

It speaks as much of the protocol as the desk, a bare ib_async script and a bare asyncio client need, and keeps the
moment at which each thing went to the socket or came from it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from htbot.paper.wire import messages, requests
from htbot.paper.wire.framing import ClientVersions, FrameReader, frame
from htbot.paper.wire.tables import Table, decode, encode

VERSION = 178
ACCOUNT = "DU1000001"
UNDERLYING_ID = 416904
BID, ASK = 1, 2
_SPX = {"conId": UNDERLYING_ID, "symbol": "SPX", "secType": "IND", "exchange": "CBOE", "currency": "USD"}
_PLAIN = {
    5: (messages.OPEN_ORDER_END, {}),
    16: (messages.OPEN_ORDER_END, {}),
    61: (messages.POSITION_END, {}),
    99: (messages.COMPLETED_ORDERS_END, {}),
}
Fields = Mapping[str, Any]


@dataclass(slots=True)
class Order:
    """An order as it came, and when."""

    values: Fields
    at_s: float

    @property
    def con_ids(self) -> set[int]:
        """Contracts of its legs."""
        return {leg["conId"] for leg in self.values["comboLegs"]}


@dataclass(slots=True)
class Market:
    """What the server holds: lines by contract id, positions, and what happens to an order."""

    started: datetime
    on_order: Callable[[Session, Order], None]
    on_cancel: Callable[[Session, int, float], None] = lambda *_: None
    contracts: dict[int, dict[str, Any]] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    quotes: dict[int, tuple[float, float]] = field(default_factory=dict)
    began_s: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """Market time."""
        return self.started + timedelta(seconds=time.monotonic() - self.began_s)


class Session(asyncio.Protocol):
    """One client."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.lines: dict[int, int] = {}
        self.client_id = 0
        self.transport: asyncio.Transport | None = None
        self._reader = FrameReader()
        self._greeted = False
        self._executions = 0

    # --- the socket ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        at_s = time.perf_counter()
        for payload in self._reader.feed(data):
            if not self._greeted:
                ClientVersions.parse(payload)
                self._greeted = True
                self.write(frame(f"{VERSION}\0{self.market.started:%Y%m%d %H:%M:%S} UTC\0".encode()))
            else:
                self._take(payload.decode().split("\0")[:-1], at_s)

    def write(self, data: bytes) -> None:
        """To the socket, unless it is gone."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def tell(self, table: Table, values: Fields) -> None:
        """One message."""
        self.write(encode(table, values, VERSION))

    # --- requests --------------------------------------------------------------------------------------------------

    def _take(self, texts: list[str], at_s: float) -> None:
        number = int(texts[0])
        values = decode(requests.BY_ID[number], texts[1:], VERSION)
        if number == 3:
            self.market.on_order(self, Order(values, at_s))
        elif number == 4:
            self.market.on_cancel(self, values["orderId"], at_s)
        elif number == 1:
            self.lines[values["conId"] or UNDERLYING_ID] = values["reqId"]
            self.write(self.quote(values["conId"], *self.market.quotes.get(values["conId"], (4150.0, 4150.5))))
        elif number == 61:
            self.tell_positions()
        if number in _PLAIN:
            self.tell(*_PLAIN[number])
        elif answer := self._ANSWERS.get(number):
            answer(self, values)

    def _start(self, values: Fields) -> None:
        self.client_id = values["clientId"]
        self.tell(messages.MANAGED_ACCOUNTS, {"accounts": ACCOUNT})
        self.tell(messages.NEXT_VALID_ID, {"orderId": 1})

    def _account(self, values: Fields) -> None:
        for key in ("NetLiquidation", "BuyingPower"):
            self.tell(messages.ACCOUNT_VALUE, {"key": key, "value": "1000000", "currency": "USD", "account": ACCOUNT})
        self.tell(messages.ACCOUNT_DOWNLOAD_END, {"account": values["account"] or ACCOUNT})

    def _executed(self, values: Fields) -> None:
        self.tell(messages.EXECUTION_END, {"reqId": values["reqId"]})

    def _time(self, _values: Fields) -> None:
        self.tell(messages.CURRENT_TIME, {"time": int(self.market.now().timestamp())})

    def _details(self, values: Fields) -> None:
        request = {"reqId": values["reqId"]}
        if values["secType"] == "IND":
            self.tell(messages.CONTRACT_DETAILS, {**_SPX, **request, "minTick": 0.01})
        self.tell(messages.CONTRACT_DETAILS_END, request)

    def _history(self, values: Fields) -> None:
        last = self.market.started.replace(minute=0, second=0, microsecond=0)
        shape = {"open": 4150.0, "high": 4151.0, "low": 4149.0, "close": 4150.0, "volume": 10, "wap": 4150, "count": 1}
        bars = [{**shape, "date": int((last - timedelta(minutes=5 * back)).timestamp())} for back in range(3, 0, -1)]
        self.tell(messages.HISTORICAL_DATA, {"reqId": values["reqId"], "bars": bars})

    _ANSWERS: ClassVar[dict[int, Any]] = {6: _account, 7: _executed, 9: _details, 20: _history, 49: _time, 71: _start}

    # --- news ------------------------------------------------------------------------------------------------------

    def quote(self, con_id: int, bid: float, ask: float) -> bytes:
        """Both sides of a line, empty while it is not streamed."""
        return self.tick(con_id, BID, bid) + self.tick(con_id, ASK, ask)

    def tick(self, con_id: int, side: int, price: float) -> bytes:
        """One side of a line."""
        line = self.lines.get(con_id)
        if line is None:
            return b""
        return frame(f"1\x006\x00{line}\x00{side}\x00{price}\x0010\x000\x00".encode())

    def tell_positions(self, *con_ids: int) -> None:
        """What is held of these contracts, of all of them when none is named."""
        for con_id in con_ids or self.market.positions:
            held = {"account": ACCOUNT, "position": self.market.positions[con_id], "avgCost": 0}
            self.tell(messages.POSITION, {**self.market.contracts[con_id], **held})

    def status(self, order: Order, status: str, filled: int = 0) -> None:
        """An orderStatus, after the openOrder that comes before it."""
        values, quantity = order.values, int(order.values["totalQuantity"])
        self.tell(
            messages.OPEN_ORDER,
            {**values, "permId": 5000 + values["orderId"], "clientId": self.client_id, "status": status},
        )
        self.tell(
            messages.ORDER_STATUS,
            {
                "orderId": values["orderId"],
                "status": status,
                "filled": filled,
                "remaining": quantity - filled,
                "avgFillPrice": values["lmtPrice"] if filled else 0,
                "permId": 5000 + values["orderId"],
                "lastFillPrice": values["lmtPrice"] if filled else 0,
                "clientId": self.client_id,
            },
        )

    def fill(self, order: Order) -> None:
        """Both legs executed; prices that sum to the limit."""
        values, sign = order.values, 1 if order.values["action"] == "BUY" else -1
        self.status(order, "Submitted")
        for leg in values["comboLegs"]:
            self._executions += 1
            bought = (leg["action"] == "BUY") == (sign > 0)
            price = 2.0 if leg["action"] == "BUY" else 2.0 - float(values["lmtPrice"])
            exec_id = f"toy.{self.client_id}.{values['orderId']}.{self._executions:05}.01"
            self.market.positions[leg["conId"]] = self.market.positions.get(leg["conId"], 0) + (1 if bought else -1)
            execution = {
                "reqId": -1,
                "orderId": values["orderId"],
                "execId": exec_id,
                "time": f"{self.market.now().astimezone(UTC):%Y%m%d-%H:%M:%S}",
                "account": ACCOUNT,
                "executionExchange": "CBOE",
                "side": "BOT" if bought else "SLD",
                "shares": 1,
                "price": round(price, 2),
                "permId": 5000 + values["orderId"],
                "clientId": self.client_id,
                "cumQty": 1,
                "avgPrice": round(price, 2),
                "orderRef": values["orderRef"],
            }
            self.tell(messages.EXECUTION, {**self.market.contracts[leg["conId"]], **execution})
            self.tell(
                messages.COMMISSION_REPORT, {"execId": exec_id, "commission": 1.1, "realizedPNL": "", "yield": ""}
            )
        self.tell_positions(*order.con_ids)
        self.status(order, "Filled", 1)


@asynccontextmanager
async def serving(market: Market, sessions: list[Session]) -> Any:
    """The server's port while the block runs; `sessions` is filled with who joins."""

    def made() -> Session:
        sessions.append(Session(market))
        return sessions[-1]

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for session in sessions:
            if session.transport is not None:
                session.transport.abort()


async def tick_away(session: Session, per_s: float, dice: random.Random, until: asyncio.Event) -> int:
    """One side of one line after the other, evenly spread, each in a packet of its own; how many there were."""
    began, told = time.perf_counter(), 0
    while not until.is_set():
        con_ids = list(session.lines)
        due = int((time.perf_counter() - began) * per_s)
        while told < due:
            told += 1
            con_id = con_ids[told % len(con_ids)]
            bid, ask = session.market.quotes.get(con_id, (4150.0, 4150.5))
            side = dice.choice((BID, ASK))
            session.write(session.tick(con_id, side, round((bid if side == BID else ask) + dice.choice((0, 0.01)), 2)))
        await asyncio.sleep(0.0005)
    return told
