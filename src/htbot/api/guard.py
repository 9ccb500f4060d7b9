"""What is turned away before any endpoint sees it: foreign hosts and origins, bodies that are too large."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from htbot.api.errors import problem

LARGEST_BODY = 64 * 1024
LARGEST_HEAD = 8 * 1024
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}


class Guard:
    """ASGI middleware. The host list keeps DNS rebinding out, the origin check foreign pages."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = LOOPBACK_HOSTS | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or serve with a counted body and hardened headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await problem(*refusal)(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    def _refusal(self, headers: Headers) -> tuple[int, str] | None:
        if sum(len(name) + len(value) for name, value in headers.raw) > LARGEST_HEAD:
            detail = f"the headers are larger than {LARGEST_HEAD} bytes"
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail
        host = headers.get("host", "")
        if _host_name(f"//{host}") not in self._hosts:
            return HTTPStatus.FORBIDDEN, f"host {host[:80]!r} is not served here: use 127.0.0.1, or set HTBOT_API_HOST"
        origin = headers.get("origin")
        if origin is not None and _host_name(origin) not in self._hosts:
            return HTTPStatus.FORBIDDEN, f"origin {origin[:80]!r} may not call this API"
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return HTTPStatus.BAD_REQUEST, "Content-Length is no number"
        if int(length) > LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {length} bytes: at most {LARGEST_BODY} are read"
        return None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is too large: at most {LARGEST_BODY} bytes are read"
                )
            return message

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, limited, hardened)


def _host_name(url: str) -> str:
    """The host of a URL without port, lower case; empty when it has none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
