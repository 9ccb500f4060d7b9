"""The API on a real socket of this process, its loop in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from htbot.api.server import Place, make_server, new_loop
from htbot.bootstrap.install.ports import free_port
from htbot.services.board.board import Board

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """Where it listens, and a way into its loop."""

    port: int
    board: Board
    loop: asyncio.AbstractEventLoop

    def run(self, act: Callable[[], Any]) -> Any:
        """Do something in the server's loop, and wait for it."""

        async def acted() -> Any:
            return act()

        return asyncio.run_coroutine_threadsafe(acted(), self.loop).result(_PATIENCE_S)


@contextmanager
def served(app: FastAPI) -> Iterator[Served]:
    """Serve until the block ends."""
    port = free_port()
    server = make_server(app, Place("127.0.0.1", port))
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve()

    def run() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="served")
    thread.start()
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not server.started:
            if time.monotonic() > deadline:
                raise RuntimeError("the API did not start")
            time.sleep(0.01)
        yield Served(port, app.state.parts.feed.board, loops[0])
    finally:
        server.should_exit = True
        thread.join(_PATIENCE_S)
