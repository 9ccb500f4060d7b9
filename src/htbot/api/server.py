"""uvicorn as htbot runs it: connections with deadlines, a socket for each that may come, TLS where it is set."""

from __future__ import annotations

import asyncio
import resource
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp

from htbot.api.connection import HEAD_S, LOBBY_PLACES, Connection, Lobby
from htbot.api.streams.connection import StreamConnection

_WANTED_FILES = 4096
_KEEP_ALIVE_S = 5
_SHUTDOWN_S = 5
_LARGEST_STREAM_MESSAGE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen; with a certificate and its key by TLS only."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None


class _Loop(uvloop.Loop):
    """Gives a TLS handshake no more time than a head; the default is a minute."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.AbstractServer:  # type: ignore[override]
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", HEAD_S)
        return await super().create_server(*args, **options)


def new_loop() -> asyncio.AbstractEventLoop:
    """The event loop of the API."""
    return _Loop()


def make_server(app: ASGIApp, place: Place) -> uvicorn.Server:
    """A server that listens when it is run."""
    lobby = Lobby(min(LOBBY_PLACES, _raise_file_limit() // 2))
    connection: Any = partial(Connection, lobby)  # uvicorn calls it, and wants no more of it than that
    config = uvicorn.Config(
        app,
        host=place.host,
        port=place.port,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        loop=f"{__name__}:new_loop",
        http=connection,
        ws=StreamConnection,
        ws_max_size=_LARGEST_STREAM_MESSAGE,
        ws_per_message_deflate=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    return uvicorn.Server(config)


def _raise_file_limit() -> int:
    """Let this process have as many sockets as it may ask for; how many files it may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
