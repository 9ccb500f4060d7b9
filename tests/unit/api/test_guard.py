from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from htbot.api.guard import LARGEST_HEAD, MOST_HEADERS, Guard
from htbot.services.doorman import Principal, UnknownToken
from htbot.services.tokens import Role
from htbot.services.visits import Visit

HOST = (b"host", b"127.0.0.1:8000")


class App:
    """Reads the body and answers 200; of a WebSocket it accepts and closes."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.bodies: list[bytes] = []
        self.sockets = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            self.sockets += 1
            await send({"type": "websocket.accept"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"x-frame-options", b"SAME")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Call:
    """One call through a guard."""

    def __init__(self, app: App, **scope: Any) -> None:
        self.visits: list[Visit] = []
        self.sent: list[dict[str, Any]] = []
        self.pulled = 0
        self._guard = Guard(app, ["bot.example"], self.visits.append, self._admit)
        self._scope = {
            "type": "http",
            "method": "POST",
            "path": "/halt",
            "client": ("127.0.0.1", 5),
            "headers": [HOST],
            "scheme": "http",
        } | scope

    @staticmethod
    def _admit(scope: Mapping[str, Any]) -> None:
        if (b"x-api-key", b"guess") in scope["headers"]:
            raise UnknownToken

    async def run(self, *pieces: bytes) -> Call:
        messages: Iterable[dict[str, Any]] = (
            {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
            for number, piece in enumerate(pieces)
        )
        incoming = iter(messages)

        async def receive() -> dict[str, Any]:
            self.pulled += 1
            return next(incoming, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            self.sent.append(message)

        await self._guard(self._scope, receive, send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


async def test_a_body_in_pieces_arrives_whole() -> None:
    app = App()
    call = await Call(app, headers=[HOST, (b"transfer-encoding", b"chunked")]).run(b"a", b"b", b"c")
    assert (call.status, app.bodies) == (200, [b"abc"])


async def test_a_call_without_a_body_is_not_waited_for() -> None:
    app = App()
    assert (await Call(app, method="GET", path="/status").run(b"")).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"content-length", b"65537")], 413),
        ([(b"content-length", b"1" * 5000)], 413),
        ([(b"content-length", b"x")], 400),
        ([(b"content-length", b"-1")], 400),
        ([(b"content-length", b"2"), (b"content-encoding", b"gzip")], 415),
        ([(b"content-length", b"2"), (b"content-encoding", b"identity")], 200),
        ([(b"x", b"y" * LARGEST_HEAD)], 431),
        ([(b"x", b"y")] * MOST_HEADERS, 431),
    ],
)
async def test_what_the_headers_say_is_believed(headers: list[tuple[bytes, bytes]], status: int) -> None:
    call = await Call(App(), headers=[HOST, *headers]).run(b"{}")
    assert call.status == status
    if status != 200:
        told = json.loads(call.sent[1]["body"])
        assert (told["status"], "\n" in told["detail"]) == (status, False)


async def test_a_body_that_grows_is_refused_before_it_is_read_to_the_end() -> None:
    app = App()
    call = await Call(app, headers=[HOST, (b"transfer-encoding", b"chunked")]).run(*[b"x" * 40_000] * 100)
    assert (call.status, app.bodies) == (413, [])


async def test_a_client_that_goes_away_is_not_served() -> None:
    app = App()
    call = await Call(app, headers=[HOST, (b"content-length", b"5")]).run()
    assert (call.sent, app.bodies) == ([], [])


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"9")],
        [(b"content-length", b"99999999")],
        [(b"content-length", b"x")],
        [(b"content-length", b"2"), (b"content-encoding", b"gzip")],
        [(b"transfer-encoding", b"chunked")],
    ],
)
async def test_nothing_of_a_strangers_body_is_looked_at(headers: list[tuple[bytes, bytes]]) -> None:
    app = App()
    call = await Call(app, headers=[HOST, (b"x-api-key", b"guess"), *headers]).run(*[b"x" * 40_000] * 3)
    assert (call.status, call.pulled, app.bodies) == (401, 0, [])
    assert call.headers[b"www-authenticate"] == b"Bearer"


async def test_the_dashboard_has_a_door_of_its_own() -> None:
    path = "/dashboard/login"
    assert (await Call(App(), path=path, headers=[HOST, (b"x-api-key", b"guess")]).run(b"")).status == 200


@pytest.mark.fault(52)
@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example", "x@127.0.0.1", "[::1", "127.0.0.1:http"],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_foreign_hosts_are_turned_away(host: str, kind: str) -> None:
    app = App()
    call = await Call(app, type=kind, headers=[(b"host", host.encode())]).run(b"")
    first = call.sent[0]
    assert first.get("status") == 403 if kind == "http" else first["type"] == "websocket.close"
    assert (app.sockets, app.bodies) == (0, [])


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "BOT.example:443"])
async def test_own_names_are_served(host: str) -> None:
    assert (await Call(App(), headers=[(b"host", host.encode())]).run(b"")).status == 200


@pytest.mark.fault(52)
@pytest.mark.fault(54)
@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://127.0.0.1:9999", "http://localhost:8000", "file://127.0.0.1:8000"],
)
async def test_pages_of_another_place_may_not_call(origin: str, kind: str) -> None:
    app = App()
    call = await Call(app, type=kind, headers=[HOST, (b"origin", origin.encode())]).run(b"")
    first = call.sent[0]
    assert first.get("status") == 403 if kind == "http" else first["type"] == "websocket.close"
    assert (app.sockets, app.bodies) == (0, [])


@pytest.mark.parametrize("headers", [[], [(b"origin", b"http://127.0.0.1:8000")]])
async def test_websockets_of_programs_and_of_our_pages_are_accepted(headers: list[tuple[bytes, bytes]]) -> None:
    app = App()
    call = await Call(app, type="websocket", path="/ws", headers=[HOST, *headers]).run()
    assert call.sent == [{"type": "websocket.accept"}]


async def test_headers_are_added_where_the_endpoint_has_set_none() -> None:
    headers = (await Call(App()).run(b"")).headers
    assert headers[b"x-frame-options"] == b"SAME"
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'")
    assert headers[b"cache-control"] == b"no-store"
    assert b"strict-transport-security" not in headers
    page = (await Call(App(), method="GET", path="/dashboard/login", scheme="https").run(b"")).headers
    assert b"unsafe-inline" in page[b"content-security-policy"]
    assert b"strict-transport-security" in page
    assert b"cache-control" not in page


HAND = {"principal": Principal("hand", Role.OPERATOR, client="192.0.2.7")}


async def test_whoever_acts_is_noted_with_the_outcome() -> None:
    headers = [HOST, (b"idempotency-key", b"once")]
    done = await Call(App(202), path="/close/all\n", state=dict(HAND), headers=headers).run(b"")
    assert done.visits == [Visit("rest:hand", "192.0.2.7", "POST /close/all", "once", 202)]
    refused = await Call(App(403), method="DELETE", state=dict(HAND)).run(b"")
    assert refused.visits == [Visit("rest:hand", "192.0.2.7", "DELETE /halt", None, 403)]


async def test_reading_and_strangers_are_not_noted() -> None:
    assert (await Call(App(), method="GET", state=dict(HAND)).run(b"")).visits == []
    assert (await Call(App(401), state={}).run(b"")).visits == []
