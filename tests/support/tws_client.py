"""A client of the TWS protocol that knows nothing but frames: what it sends and gets is plain text fields."""

from __future__ import annotations

import struct

from ib_async import ComboLeg, Contract, Order
from ib_async.client import Client

from htbot.paper.gateway import Gateway, Pace
from htbot.paper.server import ClientProtocol, Host


def framed(*fields: object) -> bytes:
    """One request."""
    payload = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(payload)) + payload


def hello(low: int = 157, high: int = 178) -> bytes:
    """The greeting of a client."""
    payload = f"v{low}..{high}".encode()
    return b"API\0" + struct.pack(">I", len(payload)) + payload


def unframed(data: bytes) -> list[list[str]]:
    """Every message in a byte stream as its fields."""
    found = []
    while data:
        (length,) = struct.unpack(">I", data[:4])
        found.append(data[4 : 4 + length].decode().split("\0")[:-1])
        data = data[4 + length :]
    return found


class LoopTransport:
    """The transport of a socket that is not there: keeps what the gateway writes."""

    def __init__(self) -> None:
        self.written = b""
        self.taken = 0
        self.writes = 0
        self.closed = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> None:
        del name

    def set_write_buffer_limits(self, high: int) -> None:
        del high

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class RawClient:
    """A client joined to the gateway without a socket; `take` gives what came since the last call."""

    def __init__(
        self, gateway: Gateway, pace: Pace, client_id: int = 1, *, stepped: bool = False, host: Host | None = None
    ) -> None:
        self.transport = LoopTransport()
        self.protocol = ClientProtocol(gateway, pace, host)
        self.protocol.connection_made(self.transport)
        self.client_id = client_id
        self._stepped = stepped
        self.first: list[list[str]] = []

    def start(self, high: int = 178) -> list[list[str]]:
        """Greet and start the API."""
        self.protocol.data_received(hello(high=high))
        self.send(71, 2, self.client_id, "stepped" if self._stepped else "")
        return self.take()

    def send(self, *fields: object) -> None:
        self.protocol.data_received(framed(*fields))

    def place(self, order_id: int, contract: Contract, order: Order) -> list[list[str]]:
        """Send an order and take everything that has come."""
        return self.ask(*order_message(order_id, contract, order))

    def ask(self, *fields: object) -> list[list[str]]:
        """Send a request and take everything that has come."""
        self.send(*fields)
        return self.take()

    def take(self) -> list[list[str]]:
        fresh = unframed(self.transport.written[self.transport.taken :])
        self.transport.taken = len(self.transport.written)
        return fresh

    def leave(self) -> None:
        self.transport.close()
        self.protocol.connection_lost(None)


def contract12(
    con_id: int = 0, symbol: str = "", sec_type: str = "", exchange: str = "SMART", **more: object
) -> list[object]:
    """The twelve contract fields of a request."""
    return [
        con_id, symbol, sec_type, more.get("expiry", ""), more.get("strike", 0), more.get("right", ""), "",
        exchange, "", more.get("currency", "USD"), "", more.get("trading_class", ""),
    ]  # fmt: skip


class Recorder(Client):
    """ib_async's own encoder, writing to a list instead of a socket."""

    def __init__(self, version: int) -> None:
        super().__init__(wrapper=None)
        self.connState = Client.CONNECTED
        self._serverVersion = version
        self.recorded: list[str] = []

    def sendMsg(self, msg: str) -> None:  # noqa: N802 - the library's name
        self.recorded.append(msg)


def order_message(order_id: int, contract: Contract, order: Order, version: int = 178) -> list[str]:
    """The fields of a placeOrder message as ib_async writes it."""
    recorder = Recorder(version)
    recorder.placeOrder(order_id, contract, order)
    return recorder.recorded[0].split("\0")[:-1]


def spread(*legs: tuple[int, str], symbol: str = "SPX") -> Contract:
    """A combination of contract ids, each with BUY or SELL."""
    combo = [ComboLeg(conId=con_id, ratio=1, action=action, exchange="SMART") for con_id, action in legs]
    return Contract(symbol=symbol, secType="BAG", exchange="SMART", currency="USD", comboLegs=combo)
