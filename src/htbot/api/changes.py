"""What this process has changed is in the picture before the caller is told that it was done."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from htbot.services.board.feed import Feed

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Changes:
    """ASGI middleware: the first `GET /status` after an answer to anything but a read shows its effect."""

    def __init__(self, app: ASGIApp, feed: Feed) -> None:
        self._app = app
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and note the change as its answer begins."""
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._feed.changed()
            await send(message)

        await self._app(scope, receive, noting)
