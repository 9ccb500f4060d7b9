"""WebSockets: the token comes first and in no address, states and changes in order, crowds and the slow cost nobody."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.websockets import WebSocketDisconnect
from tests.support.asgi import TestClient
from tests.support.opened import opened_trade
from tests.support.people import FIRST, House, chain
from tests.support.served import Served, served
from tests.support.waiting import PATIENCE_S
from uvicorn.server import ServerState
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from htbot.api.routers.streams import OWN_ADDRESS, make_router
from htbot.api.streams.connection import StreamConnection
from htbot.api.streams.session import (
    LOCKED_OUT,
    MALFORMED,
    POLICY,
    TERMS,
    TOO_BIG,
    TOO_LATE,
    TRY_AGAIN_LATER,
    UNKNOWN_TOKEN,
    Terms,
)
from htbot.services.board.board import DEPTH, Topic

HERE = "ws://127.0.0.1:8000"
AUTH = {"type": "auth", "token": FIRST}
FLOOD = 1000


def with_terms(app: FastAPI, **terms: Terms) -> FastAPI:
    """The same streams under other terms, at addresses that begin with the name of each."""
    for name, others in terms.items():
        app.include_router(make_router(app.state.parts, others), prefix=f"/{name}")
    return app


@pytest.fixture
def streams(house: House) -> Iterator[TestClient]:
    quick = Terms(looks_every_s=0.02, most_said=5, most_waiting=2)
    app = with_terms(house.app(background=True), quick=quick, impatient=Terms(token_within_s=0.05))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def drain(receive: Callable[[], object]) -> None:
    while True:
        receive()


def ending(client: TestClient, address: str, *said: Any, **options: Any) -> tuple[int, str]:
    """Close code and reason after these messages."""
    with client.websocket_connect(HERE + address, **options) as stream:
        for message in said:
            stream.send_text(message if isinstance(message, str) else json.dumps(message))
        with pytest.raises(WebSocketDisconnect) as ended:
            drain(stream.receive_json)
    return ended.value.code, ended.value.reason


def follow(client: TestClient, stack: ExitStack, address: str) -> Any:
    stream = stack.enter_context(client.websocket_connect(HERE + address))
    stream.send_json(AUTH)
    assert stream.receive_json()["type"] == "ready"
    return stream


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.ruling(36)
@pytest.mark.parametrize("address", ["/ws", *(f"/ws/{topic}" for topic in OWN_ADDRESS)])
def test_a_token_comes_first(streams: TestClient, address: str) -> None:
    assert ending(streams, address, {"type": "auth", "token": "wrong"})[0] == UNKNOWN_TOKEN
    code, why = ending(streams, address, {"type": "subscribe", "channel": "prices"})
    assert (code, why.startswith("the first message is")) == (MALFORMED, True)
    with ExitStack() as stack:
        follow(streams, stack, address)


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "null", '{"type":"auth"}', '{"type":"auth","token":5}', '{"type":"auth","token":"a","b":1}']
)
def test_what_is_no_token_is_told_so(streams: TestClient, said: str) -> None:
    assert ending(streams, "/ws", said)[0] == MALFORMED


def test_bytes_and_long_messages_are_refused(streams: TestClient) -> None:
    assert ending(streams, "/ws", AUTH, "x" * 5000)[0] == TOO_BIG
    with pytest.raises(WebSocketDisconnect) as ended, streams.websocket_connect(HERE + "/ws") as stream:  # noqa: PT012
        stream.send_bytes(b"{}")
        stream.receive_json()
    assert ended.value.code == MALFORMED


def test_guesses_are_counted_with_those_of_rest(streams: TestClient) -> None:
    codes = [ending(streams, "/ws", {"type": "auth", "token": f"guess-{number}"})[0] for number in range(6)]
    assert codes == [UNKNOWN_TOKEN] * 5 + [LOCKED_OUT]
    assert streams.get("/status", headers={"X-API-Key": "another"}).status_code == 429
    with ExitStack() as stack:
        follow(streams, stack, "/ws/health")


@pytest.mark.fault(54)
def test_a_token_in_the_address_is_refused_even_a_right_one(streams: TestClient) -> None:
    for query in (f"token={FIRST}", f"access_token={FIRST}", "x"):
        code, why = ending(streams, f"/ws?{query}", AUTH)
        assert (code, why.startswith("nothing is read from the address")) == (MALFORMED, True)


def test_whoever_shows_none_is_not_waited_for(streams: TestClient) -> None:
    assert ending(streams, "/impatient/ws") == (TOO_LATE, "no token came within 0.05 s")


def test_a_revoked_token_ends_what_was_opened_with_it(streams: TestClient, house: House, viewer: str) -> None:
    house.rounds.turn()
    with streams.websocket_connect(HERE + "/quick/ws/health") as stream:
        stream.send_json({"type": "auth", "token": viewer})
        told = stream.receive_json()
        assert (told["type"], told["name"], told["role"], told["channels"]) == ("ready", "screen", "viewer", ["health"])
        house.tokens.revoke("screen", "test")
        house.rounds.turn()
        with pytest.raises(WebSocketDisconnect) as ended:
            drain(stream.receive_json)
        assert ended.value.code == UNKNOWN_TOKEN


# --- following --------------------------------------------------------------------------------------------------------


def test_channels_of_their_own_begin_with_a_snapshot(streams: TestClient, house: House) -> None:
    opened_trade(house.database)
    house.live.seen = chain()
    found = {}
    for topic in OWN_ADDRESS:
        with ExitStack() as stack:
            found[topic] = told = follow(streams, stack, f"/ws/{topic}").receive_json()
            assert (told["channel"], told["snapshot"], told["gone"]) == (topic, True, [])
            assert told["as_of"] == "2022-08-26T16:00:00Z"
    health, prices, portfolio = (found[topic]["set"] for topic in (Topic.HEALTH, Topic.PRICES, Topic.PORTFOLIO))
    assert (health["database"], health["redis"], health["desk"], health["ready"]) == ("ok", "ok", "running", True)
    assert prices["SPX"]["price"] == 4152.0
    assert [position["con_id"] for position in portfolio["positions"]] == [11, 12]
    assert portfolio["account"]["net_liquidation"] == "100000.00"
    (signal,) = found[Topic.SIGNALS]["set"].values()
    assert signal["level"] == 4160


def test_one_socket_follows_many_and_leaves_them(streams: TestClient, house: House) -> None:
    house.live.seen = chain()
    with ExitStack() as stack:
        stream = follow(streams, stack, "/ws")
        stream.send_json({"type": "subscribe", "channel": "prices", "symbols": ["SPY"]})
        assert stream.receive_json()["set"] == {}
        stream.send_json({"type": "subscribe", "channel": "prices", "symbols": ["SPX"]})
        told = stream.receive_json()
        assert (told["type"], list(told["set"])) == ("price_update", ["SPX"])
        stream.send_json({"type": "subscribe", "channel": "orders"})
        assert stream.receive_json()["channel"] == "orders"
        opened_trade(house.database)
        assert stream.receive_json()["channel"] == "orders"
        stream.send_json({"type": "unsubscribe", "channel": "orders"})
        stream.send_json({"type": "ping"})
        assert stream.receive_json()["type"] == "pong"


def test_a_halt_is_told_to_whoever_follows(streams: TestClient) -> None:
    with ExitStack() as stack:
        stream = follow(streams, stack, "/ws/health")
        first = stream.receive_json()
        assert first["set"]["halted"] is False
        assert streams.post("/halt", json={"reason": "news"}, headers={"X-API-Key": FIRST}).status_code == 200
        told = stream.receive_json()
        assert (told["seq"], told["snapshot"], told["set"]) == (first["seq"] + 1, False, {"halted": True})


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/ws", {"type": "subscribe", "channel": "moon"}),
        ("/ws", {"type": "subscribe", "channel": "orders", "symbols": ["SPX"]}),
        ("/ws", {"type": "subscribe", "channel": "prices", "symbols": ["x" * 50]}),
        ("/ws", {"type": "subscribe", "channel": "prices", "params": {}}),
        ("/ws", {"type": "auth", "token": FIRST}),
        ("/ws", "nonsense"),
        ("/ws/health", {"type": "subscribe", "channel": "prices"}),
    ],
)
def test_what_is_not_understood_is_answered_and_ends_nothing(streams: TestClient, address: str, said: object) -> None:
    with ExitStack() as stack:
        stream = follow(streams, stack, address)
        stream.send_text(said if isinstance(said, str) else json.dumps(said))
        while (told := stream.receive_json())["type"] != "error":
            pass
        assert FIRST not in told["detail"]
        stream.send_json({"type": "ping"})
        while stream.receive_json()["type"] != "pong":
            pass


def test_whoever_says_too_much_has_to_go(streams: TestClient) -> None:
    assert ending(streams, "/quick/ws", AUTH, *[{"type": "ping"}] * 6)[0] == POLICY


# --- crowds, on real sockets ------------------------------------------------------------------------------------------


@pytest.fixture
def place(house: House) -> Iterator[Served]:
    with served(house.app()) as found:
        yield found


def enter(place: Served, address: str = "/ws", **options: Any) -> connect:
    return connect(
        f"ws://127.0.0.1:{place.port}{address}", proxy=None, compression=None, open_timeout=PATIENCE_S, **options
    )


@contextmanager
def admitted(place: Served, address: str, **options: Any) -> Iterator[ClientConnection]:
    with enter(place, address, **options) as stream:
        stream.send(json.dumps(AUTH))
        assert json.loads(stream.recv())["type"] == "ready"
        yield stream


def until(place: Served, true: Callable[[], bool]) -> None:
    while not place.run(true):
        pass


@pytest.mark.fault(54)
def test_foreign_pages_are_kept_out_and_programs_are_not(place: Served) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{place.port + 1}"):
        with pytest.raises(InvalidStatus) as refused, enter(place, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    for welcome in (f"http://127.0.0.1:{place.port}", None):
        with enter(place, origin=welcome):
            pass


@pytest.mark.fault(54)
def test_no_log_has_the_address_of_a_socket(place: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="")
    logging.getLogger("websockets").setLevel(logging.WARNING)  # the client's own
    with pytest.raises(ConnectionClosed), enter(place, f"/ws?token={FIRST}") as stream:
        stream.recv()
    with admitted(place, "/ws"):
        pass
    assert FIRST not in caplog.text


@pytest.mark.fault(54)
def test_the_slow_one_is_dropped_and_nobody_else_notices(place: Served) -> None:
    members = place.board._columns[Topic.ORDERS].members
    with admitted(place, "/ws", max_queue=1) as slow, admitted(place, "/ws") as quick:  # one of them never reads
        for stream in (slow, quick):
            stream.send(json.dumps({"type": "subscribe", "channel": "orders"}))
        until(place, lambda: len(members) == 2)
        sequence = 0
        while len(members) == 2:
            state = {"order": f"{sequence} {'x' * 200_000}"}
            place.run(lambda state=state: place.board.publish(Topic.ORDERS, state, None))
            told = json.loads(quick.recv())
            assert (told["seq"], told["set"]) == (sequence + 1, state)
            sequence = told["seq"]
        assert sequence > DEPTH
        with pytest.raises(ConnectionClosed) as ended:
            drain(slow.recv)
        assert ended.value.rcvd is None or ended.value.rcvd.code == TRY_AGAIN_LATER
        place.run(lambda: place.board.publish(Topic.ORDERS, {}, None))
        assert json.loads(quick.recv())["gone"] == ["order"]


@pytest.mark.fault(54)
def test_a_flood_takes_no_place_from_those_with_a_token(house: House) -> None:
    """A thousand sockets, as many as in the original; the porch has 64 places, and a busy host has time enough."""
    app = with_terms(house.app(), quick=Terms(token_within_s=600.0))
    with served(app) as place, admitted(place, "/quick/ws/health"), ExitStack() as stack:
        flood = [stack.enter_context(_half_open(place.port, "/quick/ws")) for _ in range(FLOOD)]
        answer = httpx.get(f"http://127.0.0.1:{place.port}/status", headers={"X-API-Key": FIRST}, timeout=60)
        assert answer.status_code == 200
        stack.enter_context(admitted(place, "/quick/ws/health"))
        assert place.run(lambda: len(place.board._columns[Topic.HEALTH].members)) == 2
        told_to_go = sum(b"too many sockets wait" in _rest(one) for one in flood[: FLOOD - TERMS.most_waiting])
        assert told_to_go == FLOOD - TERMS.most_waiting


def _half_open(port: int, address: str) -> socket.socket:
    """A WebSocket that shows no token."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=60)
    opened.sendall(
        f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert opened.recv(12) == b"HTTP/1.1 101"
    return opened


def _rest(half_open: socket.socket) -> bytes:
    read = b""
    while b"wait without a token" not in read:
        part = half_open.recv(4096)
        if not part:
            break
        read += part
    return read


class Briefly(StreamConnection):
    READING_S = 0.0


async def test_a_connection_that_stays_unread_is_aborted() -> None:
    """uvicorn closes politely, and waits for ever for whoever does not read."""

    class Transport:
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    config = uvicorn.Config(FastAPI(), ws=Briefly, log_config=None)
    config.load()
    connection = Briefly(config=config, server_state=ServerState(), app_state={})
    connection.transport = transport = Transport()  # type: ignore[assignment]
    connection.pause_writing()
    connection.resume_writing()
    await asyncio.sleep(0.01)
    assert not transport.aborted
    connection.pause_writing()
    await asyncio.sleep(0.01)
    assert transport.aborted
