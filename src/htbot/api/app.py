"""The FastAPI application."""

from __future__ import annotations

from fastapi import FastAPI

from htbot import __version__
from htbot.api import errors
from htbot.api.document import DocumentedApi
from htbot.api.guard import Guard
from htbot.api.parts import ApiParts
from htbot.api.routers import control, documentation, open, reads  # noqa: A004 - a module of open endpoints


def make_app(parts: ApiParts) -> FastAPI:
    """The API over its services."""
    app = DocumentedApi(title="htbot", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.parts = parts
    app.state.doorman = parts.doorman
    errors.install(app)
    app.add_middleware(Guard, hosts=parts.hosts, note=parts.doorman.note)
    for module in (open, reads, control, documentation):
        app.include_router(module.router)
    return app
