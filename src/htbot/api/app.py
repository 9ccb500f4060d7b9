"""The FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from htbot import __version__
from htbot.api import errors
from htbot.api.auth import Door
from htbot.api.changes import Changes
from htbot.api.document import DocumentedApi
from htbot.api.guard import Guard
from htbot.api.measure import Measure
from htbot.api.parts import ApiParts
from htbot.api.routers import documentation, streams
from htbot.api.routers.table import ROUTERS
from htbot.api.short_way import ShortWay
from htbot.dashboard.application import mount


def make_app(parts: ApiParts, *, background: bool = False) -> FastAPI:
    """The API over its services; with `background` its picture is kept fresh, else it is read for each question."""

    @asynccontextmanager
    async def alive(_app: FastAPI) -> AsyncIterator[None]:
        if background:
            parts.feed.start()
        yield
        parts.feed.stop()

    app = DocumentedApi(
        title="htbot", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, lifespan=alive
    )
    app.state.parts = parts
    errors.install(app)
    if parts.dashboard is not None:
        app.include_router(documentation.in_browser)  # before NiceGUI, which takes every path below its own
        mount(app, parts.dashboard)
    app.add_middleware(ShortWay, feed=parts.feed)
    app.add_middleware(Changes, feed=parts.feed)
    app.add_middleware(Guard, hosts=parts.hosts, note=parts.doorman.note, admit=Door(parts.doorman))
    app.add_middleware(Measure, metrics=parts.http)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(streams.make_router(parts))
    return app
