"""How many calls were answered, how, and how fast: counted by route, for `GET /metrics`."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from htbot.telemetry.metric_names import REQUEST_SECONDS, REQUESTS

NO_ROUTE = "none"
"""Label of what no route answers, or the guard turned away: an address may be anything, a label may not."""
_BROKEN = 500
"""What ends without an answer: the error handler around us makes one."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetrics:
    """Of one process. Labels are templates of routes, never addresses."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(REQUESTS.name, REQUESTS.help, REQUESTS.labels, registry=self._registry)
        self._durations = Histogram(
            REQUEST_SECONDS.name,
            REQUEST_SECONDS.help,
            REQUEST_SECONDS.labels,
            registry=self._registry,
            buckets=REQUEST_SECONDS.bounds,
        )
        self._known: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def note(self, method: str, route: str, status: int, duration_s: float) -> None:
        """One answer."""
        shown = method if method in _METHODS else "other"
        key = (shown, route, status)
        found = self._known.get(key)
        if found is None:
            found = (
                self._requests.labels(shown, route, str(status)).inc,
                self._durations.labels(shown, route).observe,
            )
            self._known[key] = found
        count, observe = found
        count()
        observe(duration_s)

    def page(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)


class Measure:
    """ASGI middleware, the outermost: what is refused further in counts as well."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and note status and duration."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            self._metrics.note(scope["method"], route, status or _BROKEN, time.perf_counter() - began_s)
