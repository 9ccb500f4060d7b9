"""Commands of people, executed: each is durable and is driven to its end through any number of restarts.

Most come as rows. With PostgreSQL dead they come by the desk's own line and stand in its journal until the record is
back. What a command asks for is done from memory; the record is told what became of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from htbot.desk.guard import ExitGuard
from htbot.desk.journal import COMMAND, Entry, Journal
from htbot.desk.ledger import Ledger
from htbot.desk.open_book import OpenBook
from htbot.desk.order_numbers import OrderNumbers
from htbot.desk.orders import OrderDesk
from htbot.desk.threads import DatabaseThread
from htbot.domain.orders import ExitReason, Purpose
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRepository, CommandRequest, IntentRepository, TradeRepository
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import CANCEL, CLOSE_ALL, EVERY_ACCOUNT
from htbot.services.trade_record import manual_decision, settle_trade

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommandParts:
    """What commands are executed with. `strangers` names what the broker holds in a scope that is not ours."""

    database: DatabaseThread
    ledger: Ledger
    journal: Journal
    orders: OrderDesk
    guard: ExitGuard
    book: OpenBook
    numbers: OrderNumbers
    strangers: Callable[[str], list[str]]
    market_open: Callable[[datetime], bool]


class CommandDesk:
    """Takes open commands in their order; a command is done when its end state is verified, not when it was sent."""

    def __init__(self, parts: CommandParts) -> None:
        self._parts = parts
        self._open: dict[UUID, Command] = {}

    @property
    def busy(self) -> bool:
        """True while a command is open."""
        return bool(self._open)

    # --- taking ----------------------------------------------------------------------------------------------------

    async def hear(self, request: CommandRequest) -> Command:
        """Take a command by the desk's own line: promised in the journal before it is answered.

        The same key is the same command; a close of a scope joins one of it, or of everything, that is under way.
        """
        for known in self._open.values():
            joins = request.kind == known.kind == CLOSE_ALL and known.params["scope"] in {
                request.params["scope"],
                EVERY_ACCOUNT,
            }
            if known.idempotency_key == request.idempotency_key or joins:
                return known
        command = _command(uuid4(), request)
        number = await self._parts.journal.promise(COMMAND, _to_json(command))
        self._take(command, number)
        try:
            self.drive(request.created_at)
        except ConnectionError as error:  # taken all the same: it is driven on when the broker is back
            _log.warning("command %s met a broken session: %s", command.id, error)
        return command

    def replay(self, entry: Entry) -> None:
        """A command that the journal has and the record may not have."""
        self._take(_from_json(entry.body), entry.number)

    def _take(self, command: Command, number: int) -> None:
        self._open[command.id] = command
        request = CommandRequest(
            command.idempotency_key, command.kind, command.requested_by, command.created_at, command.params, command.id
        )
        self._parts.ledger.post(
            lambda session: CommandRepository(session).create(request), lambda _made: self._parts.journal.taken(number)
        )

    # --- doing -----------------------------------------------------------------------------------------------------

    def drive(self, now: datetime) -> None:
        """Do what open commands ask for, as far as it is not done; from memory."""
        for command in self._open.values():
            if command.kind == CLOSE_ALL:
                self._close_all(command, now)
            elif command.kind == CANCEL:
                for live in self._parts.orders.live:
                    if command.params.get("ref") in {live.intent.ref, EVERY_ACCOUNT}:
                        self._parts.orders.cancel(live)

    def _close_all(self, command: Command, now: datetime) -> None:
        scope = _scope(command)
        for live in self._parts.orders.live:
            if not _in_scope(live.intent.account, scope):
                continue
            if live.is_entry:
                self._parts.orders.cancel(live)
            else:
                self._parts.orders.hurry(live, now)
        reason = ExitReason(command.params.get("exit_reason", ExitReason.MANUAL))
        for held in self._parts.book.guarded:
            if _in_scope(held.trade.account, scope) and not self._parts.orders.live_of_trade(held.trade.id):
                self._parts.guard.ask_exit(held, manual_decision(reason, now, f"command {command.id}"))

    async def run(self, now: datetime) -> None:
        """Read new commands, do them, and tell the record how far each has come."""
        for command in await self._parts.database.run(lambda session: CommandRepository(session).open()):
            self._open.setdefault(command.id, command)
        self.drive(now)
        for command in tuple(self._open.values()):
            if command.kind == CLOSE_ALL:
                await self._end_close_all(command, now)
            elif command.kind == CANCEL:
                await self._end_cancel(command, now)

    async def _end_close_all(self, command: Command, now: datetime) -> None:
        scope = _scope(command)
        await self._advance(command, CommandState.PENDING, CommandState.RUNNING, now, {})
        gone = await self._parts.ledger.write(lambda session: _withdraw_entries(session, scope, now))
        left = await self._parts.database.run(lambda session: _live_trades(session, scope))
        if not left and not any(_in_scope(held.trade.account, scope) for held in self._parts.book.guarded):
            result = {"flat": True, "withdrawn": gone, "left_alone": self._parts.strangers(scope)}
            await self._advance(command, CommandState.RUNNING, CommandState.DONE, now, result)
            _log.info("command %s: %s is flat", command.id, scope)
        elif not self._parts.market_open(now) and not self._parts.orders.live:
            result = {"flat": False, "left": left, "why": "the market is closed and nothing is queued: ask again then"}
            await self._advance(command, CommandState.RUNNING, CommandState.FAILED, now, result)

    async def _end_cancel(self, command: Command, now: datetime) -> None:
        ref = str(command.params.get("ref", ""))
        await self._advance(command, CommandState.PENDING, CommandState.RUNNING, now, {})
        for used in await self._parts.ledger.write(lambda session: _withdraw_named(session, ref, now)):
            self._parts.numbers.used_exit(used)
        if not any(ref in {live.intent.ref, EVERY_ACCOUNT} for live in self._parts.orders.live):
            await self._advance(command, CommandState.RUNNING, CommandState.DONE, now, {"working": 0})

    async def _advance(
        self, command: Command, before: CommandState, after: CommandState, now: datetime, result: Mapping[str, Any]
    ) -> None:
        await self._parts.ledger.write(
            lambda session: CommandRepository(session).advance(command.id, before, after, now, result)
        )
        if after in {CommandState.DONE, CommandState.FAILED}:
            self._open.pop(command.id, None)


def _scope(command: Command) -> str:
    return str(command.params.get("scope", EVERY_ACCOUNT))


def _in_scope(account: str, scope: str) -> bool:
    return scope in {EVERY_ACCOUNT, account}


def _live_trades(session: Session, scope: str) -> list[str]:
    return [trade.id for trade in TradeRepository(session).live() if _in_scope(trade.account, scope)]


def _withdraw_named(session: Session, ref: str, now: datetime) -> list[str]:
    """What nobody has claimed yet does not leave any more; returns which."""
    intents, withdrawn = IntentRepository(session), []
    for stored in intents.pending():
        if ref in {stored.intent.ref, EVERY_ACCOUNT} and intents.withdraw(stored.intent.ref, now, "cancelled"):
            settle_trade(session, stored.intent.trade_id, now)
            withdrawn.append(stored.intent.ref)
    return withdrawn


def _withdraw_entries(session: Session, scope: str, now: datetime) -> list[str]:
    """Entries that nobody has claimed yet do not leave any more; returns which."""
    intents, withdrawn = IntentRepository(session), []
    for stored in intents.pending(Purpose.ENTRY):
        ours = _in_scope(stored.intent.account, scope)
        if ours and intents.withdraw(stored.intent.ref, now, "everything is closed"):
            settle_trade(session, stored.intent.trade_id, now)
            withdrawn.append(stored.intent.ref)
    return withdrawn


def _command(number: UUID, request: CommandRequest) -> Command:
    at = request.created_at
    key, kind, by = request.idempotency_key, request.kind, request.requested_by
    return Command(number, key, kind, request.params, by, at, CommandState.PENDING, at, {})


def _to_json(command: Command) -> dict[str, Any]:
    return {
        "id": str(command.id),
        "key": command.idempotency_key,
        "kind": command.kind,
        "params": dict(command.params),
        "by": command.requested_by,
        "at": command.created_at.isoformat(),
    }


def _from_json(body: Mapping[str, Any]) -> Command:
    at = datetime.fromisoformat(body["at"])
    request = CommandRequest(body["key"], body["kind"], body["by"], at, body["params"])
    return _command(UUID(body["id"]), request)
