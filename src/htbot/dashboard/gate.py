"""The door of the pages: nothing under `/dashboard` is served without a session, except the way in.

The guard of the API stands before it: host, origin, size, crowds, and the policy that NiceGUI's pages need. The login
needs no script, so its policy allows none.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

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
_NO_SESSION = 4401
_OPEN_PAGES = frozenset({LOGIN})


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
        wants_page = scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
        answer = RedirectResponse(LOGIN, 303) if wants_page else Response("log in first", 401, media_type="text/plain")
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
