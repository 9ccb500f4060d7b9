"""The control port: one JSON object a line, on loopback only, each line with the token.

Asked is `{"token": ..., "do": "list" | "status"}`, `{"token": ..., "do": "add", "fault": NAME, "fields": {...}}` or
`{"token": ..., "do": "clear", "number": N}` (no number = all). The answer is `{"ok": true, "result": ...}` or
`{"ok": false, "error": LINE}`. A wrong token or a line that is no request closes the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from htbot.domain.errors import CallerMistake, ConfigurationError, NotFound
from htbot.telemetry.logs import get_logger
from htbot.telemetry.masking import hide_secret

LOOPBACK = "127.0.0.1"
FILE_NAME = "control.json"
MAX_LINE = 64 * 1024
_MAX_CONNECTIONS = 8
_IDLE_S = 30.0
_log = get_logger("htbot.paper.control")


class Board(Protocol):
    """What the control port turns; each call is a turn of the gateway of its own."""

    def rows(self) -> list[dict[str, Any]]:
        """Every fault."""
        ...

    def add(self, name: str, given: dict[str, str]) -> dict[str, Any]:
        """Arm a fault; its row."""
        ...

    def clear(self, number: int | None) -> int:
        """Remove one fault or all; how many."""
        ...

    def status(self) -> dict[str, Any]:
        """Market time, link, clients, faults in force."""
        ...


@dataclass(frozen=True, slots=True)
class ControlPort:
    """Where to listen (0 = any free port), and the token; None means a fresh one for each start."""

    port: int
    token: str | None = None


@contextlib.asynccontextmanager
async def controlled(board: Board, where: ControlPort, state_dir: Path) -> AsyncIterator[int]:
    """Serve the control port until the block ends; its port. Port and token stand in `control.json` (0600) meanwhile.

    Raises:
        ConfigurationError: the port is not free.
    """
    token = where.token or secrets.token_urlsafe(32)
    hide_secret(token)
    service = _Service(board, token)
    try:
        server = await asyncio.start_server(service.serve, LOOPBACK, where.port, limit=MAX_LINE)
    except OSError as error:
        text = f"PAPER_CONTROL_PORT={where.port}: cannot listen on {LOOPBACK}: {error.strerror}; choose another port"
        raise ConfigurationError(text) from error
    port = int(server.sockets[0].getsockname()[1])
    path = state_dir / FILE_NAME
    _keep(path, port, token)
    try:
        yield port
    finally:
        server.close()
        service.close()
        path.unlink(missing_ok=True)


def _keep(path: Path, port: int, token: str) -> None:
    """Write the file anew, readable by its owner alone; a link in its place is replaced, never followed."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"port": port, "token": token}, file)


class _Service:
    """Connections of the control port."""

    def __init__(self, board: Board, token: str) -> None:
        self._board = board
        self._token = token.encode()
        self._open: set[asyncio.StreamWriter] = set()

    def close(self) -> None:
        """Close every connection."""
        for writer in self._open:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's lines until it ends, is silent for long, or misbehaves."""
        if len(self._open) >= _MAX_CONNECTIONS:
            writer.close()
            return
        self._open.add(writer)
        try:
            goes_on = True
            while goes_on:
                line = await asyncio.wait_for(reader.readline(), _IDLE_S)
                if not line:
                    break
                answer, goes_on = self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, ValueError, ConnectionError):  # ValueError: a line over the limit
            _log.info("control connection closed")
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(self, line: bytes) -> tuple[dict[str, Any], bool]:
        """The answer, and whether the connection goes on."""
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            return {"ok": False, "error": "a request is one JSON object a line"}, False
        given = asked.get("token")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), self._token):
            _log.warning("control connection with a wrong token")
            return {"ok": False, "error": f"wrong token: it is in {FILE_NAME} of the gateway's state folder"}, False
        try:
            return {"ok": True, "result": self._do(asked)}, True
        except CallerMistake as mistake:
            return {"ok": False, "error": str(mistake), "missing": isinstance(mistake, NotFound)}, True

    def _do(self, asked: dict[str, Any]) -> Any:
        match asked.get("do"):
            case "list":
                return self._board.rows()
            case "status":
                return self._board.status()
            case "clear":
                return {"cleared": self._board.clear(_number(asked.get("number")))}
            case "add":
                return self._board.add(str(asked.get("fault")), _texts(asked.get("fields", {})))
            case other:
                raise CallerMistake(f"cannot do {str(other)[:20]!r}: list, status, add or clear")


def _number(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise CallerMistake("number is a whole number, or absent for all")


def _texts(value: Any) -> dict[str, str]:
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return value
    raise CallerMistake('fields is an object of texts, such as {"symbol": "SPY"}')
