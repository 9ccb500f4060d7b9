"""The door of the pages: nothing under `/dashboard` is served without a session, except the way in.

The guard of the API stands before it: host, origin, size, crowds, and the policy that NiceGUI's pages need. The login
needs no script, so its policy allows none.
"""

from __future__ import annotations

import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from htbot.dashboard.session import PATH, Sessions, Visitor

LOGIN = f"{PATH}/login"
STATIC = f"{PATH}/static/"
VISITOR = "htbot_visitor"
"""Where the scope of a request carries its visitor."""
LOGIN_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
BACK = "next"
"""Where the login keeps the way back."""
_NAME = "[A-Za-z0-9_~-][A-Za-z0-9_.~-]*"
_PAGE = re.compile(rf"{PATH}/(?!log(?:in|out)\b)(?:{_NAME}(?:/{_NAME})*/?)?(?:\?[A-Za-z0-9_.~=&%:+-]*)?")
_LONGEST_BACK = 512
_NO_SESSION = 4401
_OPEN_PAGES = frozenset({LOGIN})


def way_in(path: str, query: bytes = b"") -> str:
    """The address of the login, with the way back to a page that is not the first."""
    wanted = f"{path}?{query.decode('latin-1')}" if query else path
    back = way_back(wanted)
    return LOGIN if back in {PATH, f"{PATH}/"} else f"{LOGIN}?{urlencode({BACK: back})}"


def way_back(wanted: str) -> str:
    """A page of the dashboard that somebody wanted before he logged in; the first one for anything else."""
    return wanted if len(wanted) <= _LONGEST_BACK and _PAGE.fullmatch(wanted) else f"{PATH}/"


class Gate:
    """ASGI middleware around everything below `/dashboard`; other paths pass untouched."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a session in, and show everybody else the login."""
        path = scope.get("path", "")
        if scope["type"] not in {"http", "websocket"} or not (path == PATH or path.startswith(f"{PATH}/")):
            await self._app(scope, receive, send)
            return
        visitor = self._visitor(scope)
        if visitor is not None:
            scope[VISITOR] = visitor
        elif path not in _OPEN_PAGES and not path.startswith(STATIC):
            await self._refuse(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send, strict=path in _OPEN_PAGES))

    def _visitor(self, scope: Scope) -> Visitor | None:
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(Headers(scope=scope).get("cookie", ""))
        except CookieError:
            return None
        client = scope.get("client")
        found = {name: morsel.value for name, morsel in cookies.items()}
        return self._sessions.visitor(found, client[0] if client else "unknown")

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _NO_SESSION, "reason": "log in first"})
            return
        answer: Response = Response("log in first", 401, media_type="text/plain")
        if scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""):
            answer = RedirectResponse(way_in(scope["path"], scope.get("query_string", b"")), 303)
        await answer(scope, receive, send)


def _with_headers(send: Send, *, strict: bool) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if strict:
                headers.setdefault("Content-Security-Policy", LOGIN_POLICY)
            # Without a referrer a browser sends `Origin: null` with a form, which no origin check can let through.
            headers.setdefault("Referrer-Policy", "same-origin")
        await send(message)

    return sending
