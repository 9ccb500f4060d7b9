"""What is turned away before any endpoint sees it: foreign hosts and pages, strangers, large and packed bodies, crowds.

Plain ASGI, for HTTP and WebSockets. The token is asked for before anything of a body is looked at. A call gets a place
of its class only once it has been received whole, so that a slow sender holds none. What a connection may do until then
is the matter of `htbot.api.connection`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from htbot.api.auth import principal_of
from htbot.api.errors import one_line, problem, problem_of
from htbot.api.rooms import DASHBOARD_PATH, LIMITS, Full, Room, RouteClass, class_of
from htbot.services.doorman import NotAdmitted, NoToken
from htbot.services.visits import Visit

LARGEST_HEAD = 8 * 1024
MOST_HEADERS = 64
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
FOR_BROWSERS = frozenset({"/docs", "/openapi.json"})
TRY_AGAIN_LATER = 1013
"""Close code of a WebSocket that finds no place (RFC 6455, registered)."""
API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
DASHBOARD_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
"""NiceGUI's pages carry scripts and styles of their own and compile templates (docs/decisions)."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_MOST_SPELLINGS = 64
_KEY = b"idempotency-key"
_log = logging.getLogger(__name__)


class _Gone(Exception):
    """The client went away while it was sending."""


class _Refusal(Exception):
    """The answer that a call gets instead of an endpoint's."""

    def __init__(self, status: int, detail: str, *, retry: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry = retry


_LOOKED_AT = frozenset({b"host", b"origin", b"content-length", b"transfer-encoding", b"content-encoding"})
_Head = dict[bytes, bytes]
"""The headers that the guard looks at, by name."""


def _read_head(headers: Sequence[tuple[bytes, bytes]]) -> _Head:
    """What is looked at.

    Raises:
        _Refusal: there are too many headers, or they are too large.
    """
    size, head = 0, {}
    for name, value in headers:
        size += len(name) + len(value)
        if name in _LOOKED_AT:
            head[name] = value
    if size > LARGEST_HEAD or len(headers) > MOST_HEADERS:
        detail = f"the headers are larger than {LARGEST_HEAD} bytes or more than {MOST_HEADERS}"
        raise _Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
    return head


def _has_body(head: _Head) -> bool:
    return head.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in head


@cache
def _added(dashboard: bool, encrypted: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Headers of an answer where the endpoint has set none of that name."""
    policy = ((b"content-security-policy", (DASHBOARD_POLICY if dashboard else API_POLICY).encode()),)
    store = () if dashboard else ((b"cache-control", b"no-store"),)
    strict = ((b"strict-transport-security", b"max-age=31536000"),) if encrypted else ()
    return (*_HEADERS, *policy, *store, *strict)


class Guard:
    """ASGI middleware. The host list keeps DNS rebinding out, the origin check foreign pages, the door strangers.

    `admit` notes the caller in the scope of an HTTP call, or raises `NotAdmitted`; the dashboard has its own.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], note: Callable[[Visit], None], admit: Callable[[Scope], None]
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK_HOSTS | {host.lower() for host in hosts}
        self._note = note
        self._admit = admit
        self._good: set[bytes] = set()
        self._rooms = {kind: Room(limits) for kind, limits in LIMITS.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or serve with a body of bounded size, a place of its own and hardened headers."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        kind = class_of(scope["type"], scope.get("method", ""), scope["path"])
        client = scope["client"][0] if scope.get("client") else ""
        outgoing = self._hardened(scope, send, kind)
        try:
            head = _read_head(scope["headers"])
            self._check(head)
            if scope["type"] == "http":
                if kind is not RouteClass.DASHBOARD:
                    self._admit(scope)
                if _has_body(head):
                    _check_body(head, LIMITS[kind].body)
                    receive = await _whole_body(receive, LIMITS[kind].body)
            room = self._rooms[kind]
            await room.enter(client)
        except _Gone:
            return
        except Full:
            detail = f"too many calls of class {kind} at once: try again in a second"
            await _refuse(_Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, retry=True), scope, receive, outgoing)
            return
        except NotAdmitted as stranger:
            await (_to_the_pages(scope, stranger) or problem_of(stranger))(scope, receive, outgoing)
            return
        except _Refusal as refusal:
            _log.info("%s %s from %s: %s", scope["type"], kind, client, refusal.detail)
            await _refuse(refusal, scope, receive, outgoing)
            return
        try:
            await self._app(scope, receive, outgoing)
        finally:
            room.leave(client)

    def _check(self, head: _Head) -> None:
        """Host and origin. Hosts that were found good are remembered as they were spelt."""
        told = head.get(b"host", b"")
        if told not in self._good:
            host = told.decode("latin-1")
            if _host_name(f"//{host}") not in self._hosts:
                detail = f"host {host[:80]!r} is not served here: use 127.0.0.1, or name it in HTBOT_API_NAMES"
                raise _Refusal(HTTPStatus.FORBIDDEN, detail)
            if len(self._good) < _MOST_SPELLINGS:
                self._good.add(told)
        if b"origin" in head and not _same_place(head[b"origin"].decode("latin-1"), told.decode("latin-1")):
            origin = head[b"origin"].decode("latin-1")[:80]
            raise _Refusal(HTTPStatus.FORBIDDEN, f"origin {origin!r} may not call this API")

    def _hardened(self, scope: Scope, send: Send, kind: RouteClass) -> Send:
        """`send` that adds headers which no endpoint has set, and notes who acted and with what outcome."""
        if scope["type"] != "http":
            return send
        extra = _added(kind is RouteClass.DASHBOARD, scope.get("scheme") == "https")

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers += [pair for pair in extra if pair[0] not in present]
                message = {**message, "headers": headers}
                if kind is RouteClass.ACT:
                    self._note_visit(scope, message["status"])
            await send(message)

        return hardened

    def _note_visit(self, scope: Scope, status: int) -> None:
        """Whoever has shown no right token is no visitor: guesses are the doorman's matter."""
        principal = principal_of(scope)
        if principal is None:
            return
        key = next((value.decode("latin-1")[:128] for name, value in scope["headers"] if name == _KEY), None)
        act = one_line(f"{scope['method']} {scope['path'][:200]}")
        self._note(Visit(principal.actor, principal.client or "", act, key, status))


def _to_the_pages(scope: Scope, stranger: NotAdmitted) -> RedirectResponse | None:
    """Where a person with a browser, which can send no token, reads the same behind the dashboard's session."""
    reads = scope["method"] == "GET" and scope["path"] in FOR_BROWSERS and isinstance(stranger, NoToken)
    if not reads or b"text/html" not in dict(scope["headers"]).get(b"accept", b""):
        return None
    return RedirectResponse(f"{DASHBOARD_PATH}{scope['path']}", HTTPStatus.SEE_OTHER)


def _check_body(head: _Head, largest: int) -> None:
    """What the headers say of a body that will not be read."""
    if head.get(b"content-encoding", b"identity") != b"identity":
        detail = "packed bodies are not read: send it without Content-Encoding"
        raise _Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    length = head.get(b"content-length", b"0")
    if not length.isdigit():
        raise _Refusal(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
    if len(length) > 18 or int(length) > largest:
        detail = f"the body has {length[:18].decode()} bytes: at most {largest} are read"
        raise _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


async def _whole_body(receive: Receive, largest: int) -> Receive:
    """A `receive` that has the whole body already.

    Raises:
        _Refusal: it is too large.
        _Gone: the client went away before its end.
    """
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > largest:
            detail = f"the body is too large: at most {largest} bytes are read"
            raise _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    first: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

    async def replayed() -> Message:
        nonlocal first
        if first is None:
            return await receive()
        message, first = first, None
        return message

    return replayed


async def _refuse(refusal: _Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """A problem; a WebSocket is refused before it is accepted, which the client sees as 403."""
    if scope["type"] == "websocket":
        code = TRY_AGAIN_LATER if refusal.retry else 1008
        await send({"type": "websocket.close", "code": code, "reason": refusal.detail[:120]})
        return
    headers = {"Retry-After": "1"} if refusal.retry else None
    await problem(refusal.status, refusal.detail, headers=headers)(scope, receive, send)


def _same_place(origin: str, host: str) -> bool:
    """True when a page of this origin was served from here. A port of its own is a place of its own."""
    try:
        parsed = urlsplit(origin)
    except ValueError:
        return False
    return parsed.scheme in {"http", "https"} and parsed.netloc.lower() == host.lower()


def _host_name(url: str) -> str:
    """The host of a URL without port, lower case; empty when it has none."""
    try:
        parsed = urlsplit(url)
        parsed.port  # noqa: B018 - reading it raises for what is no port
    except ValueError:
        return ""
    return "" if parsed.username is not None else (parsed.hostname or "").lower()
