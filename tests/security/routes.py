"""Every route of an application, found when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute

READING = {"GET", "HEAD"}


@dataclass(frozen=True)
class Found:
    """A route with its whole path; `kind` is http, websocket, or the name of what this test cannot see into."""

    kind: str
    path: str
    methods: frozenset[str] = frozenset()


def routes_of(routes: Sequence[BaseRoute], above: str = "") -> Iterator[Found]:
    """Every route, of included routers and mounted applications too."""
    for context in iter_route_contexts(routes):
        route, path = context.original_route, f"{above}{context.path or ''}"
        if isinstance(route, Mount | Host) and route.routes:
            yield from routes_of(route.routes, path)
        elif isinstance(route, WebSocketRoute):
            yield Found("websocket", path)
        elif isinstance(route, Route):
            yield Found("http", path, frozenset(context.methods or READING))
        else:
            yield Found(type(route).__name__, path)


def filled(path: str) -> str:
    """A path with something in place of its parameters."""
    return re.sub(r"\{[^}]*\}", "a1", path)
