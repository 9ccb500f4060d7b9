"""The desk's end of its own line, and the FLATTEN file: how people reach it with everything else dead (RULINGS 1)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from htbot.desk.desk import Desk
from htbot.domain.errors import CallerMistake, HtbotError, Retryable
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRequest
from htbot.services.command_kinds import CLOSE_ALL, EVERY_ACCOUNT
from htbot.services.desk_line import FLATTEN, SOCKET, STATUS, short_path

FILE = "FLATTEN"
LOOK_EVERY_S = 0.5
_LONGEST = 65_536
_PATIENCE_S = 5.0
_log = logging.getLogger(__name__)


class Line:
    """Takes commands by a UNIX socket in `var/run`, and by a file FLATTEN beside the STOP file.

    The file asks once for each time that it is made or touched; only a person removes it.
    """

    def __init__(self, desk: Desk, folder: Path, stop_file: Path) -> None:
        self._desk = desk
        self._folder = folder
        self._file = stop_file.with_name(FILE)

    async def serve(self) -> None:
        """Until cancelled; what fails is tried again."""
        while True:
            try:
                await self._serve()
            except OSError as error:
                _log.critical("nobody can reach the desk by its line, trying again: %s", error)
                await asyncio.sleep(_PATIENCE_S)

    async def _serve(self) -> None:
        (self._folder / SOCKET).unlink(missing_ok=True)
        with short_path(self._folder) as path:
            server = await asyncio.start_unix_server(self._on_caller, path, limit=_LONGEST)
        (self._folder / SOCKET).chmod(0o600)
        async with server:
            while True:
                await self._look_at_file()
                await asyncio.sleep(LOOK_EVERY_S)

    async def _on_caller(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await self._answer(await reader.readline())
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError) as error:
            _log.warning("a caller on the line was hung up on: %s", str(error) or type(error).__name__)
        finally:
            writer.close()

    async def _answer(self, asked: bytes) -> dict[str, Any]:
        try:
            request = json.loads(asked)
            if request["do"] == FLATTEN:
                return await self._flatten(request)
            if request["do"] == STATUS:
                return self._status()
            raise CallerMistake(f"unknown request {request['do']!r}: {FLATTEN} or {STATUS}")
        except (KeyError, TypeError, ValueError) as error:
            return {"ok": False, "error": f"malformed request: {error}"}
        except HtbotError as error:
            return {"ok": False, "error": str(error)}

    async def _flatten(self, request: Mapping[str, Any]) -> dict[str, Any]:
        scope = str(request.get("scope") or EVERY_ACCOUNT)
        key = str(request.get("key") or f"line:{uuid4()}")
        command = await self._take(scope, key, str(request.get("by") or "line"))
        return {"ok": True, "command_id": str(command.id), "state": command.state.value}

    async def _take(self, scope: str, key: str, actor: str) -> Command:
        if not self._desk.clock.known:
            raise Retryable("the desk has not been connected to the broker yet: try again")
        if scope not in {EVERY_ACCOUNT, *self._desk.followed.all}:
            raise CallerMistake(
                f"account {scope} is not traded here: it is {', '.join(self._desk.followed.all)}, or all"
            )
        now = self._desk.clock.now()
        request = CommandRequest(key, CLOSE_ALL, actor, now, {"scope": scope})
        return await self._desk.trading.commands.hear(request)

    def _status(self) -> dict[str, Any]:
        desk = self._desk
        halted = desk.parts.halts.entries_halted_by()
        return {
            "ok": True,
            "connection": desk.connection,
            "enabled": desk.enabled,
            "reason": desk.reason,
            "halted_by": halted,
            "open": [held.trade.id for held in desk.book.guarded],
            "unwritten": desk.ledger.behind,
            "under_way": self._under_way(),
            "troubles": {name: told for name, told in self._troubles().items() if told is not None},
        }

    def _under_way(self) -> list[str] | None:
        """References of orders that are not over; None while books and broker have not agreed."""
        if self._desk.reason is not None:
            return None
        return [live.intent.ref for live in self._desk.orders.live]

    def _troubles(self) -> dict[str, dict[str, object] | None]:
        """What the servers refuse that the desk leans on."""
        parts = self._desk.parts
        record = parts.orders_database.trouble or parts.market_database.trouble
        return {"postgres": None if record is None else record.told(), "redis": parts.bulletin.trouble.told()}

    async def _look_at_file(self) -> None:
        try:
            made = self._file.lstat().st_mtime_ns
        except OSError:
            return
        try:
            command = await self._take(EVERY_ACCOUNT, f"file:{made}", f"file:{self._file.name}")
        except HtbotError as error:
            _log.warning("%s is there, not yet taken: %s", self._file, error)
        else:
            _log.info("%s asks for command %s at %s", self._file, command.id, datetime.now(UTC).isoformat())
