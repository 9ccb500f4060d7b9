"""Commands of people, executed: each is durable and is driven to its end through any number of restarts.

Most come as rows. With PostgreSQL dead they come by the desk's own line and stand in its journal until the record is
back. What a command asks for is done from memory; the record is told what became of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from htbot.desk.command_record import create, ended, go_on, live_trades, means, same, scope, withdraw_named
from htbot.desk.guard import ExitGuard
from htbot.desk.hold import Hold
from htbot.desk.journal import COMMAND, Entry, Journal, JournalStuck
from htbot.desk.ledger import Ledger
from htbot.desk.level_sales import LevelSales
from htbot.desk.live_order import LiveOrder
from htbot.desk.open_book import OpenBook
from htbot.desk.order_numbers import OrderNumbers
from htbot.desk.orders import OrderDesk
from htbot.desk.protecting import SHOWN_WITHIN
from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import Retryable
from htbot.domain.fills import Fill
from htbot.domain.instruments import Contract
from htbot.domain.orders import ExitReason
from htbot.domain.trades import Trade, TradeState
from htbot.execution.expiry import Expired, Settled, Settlement, StillStands
from htbot.persistence.records import Command
from htbot.persistence.repositories import (
    CommandRepository,
    CommandRequest,
    FillRepository,
    IntentRepository,
    TradeRepository,
)
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import (
    CANCEL,
    CLOSE_ALL,
    CLOSE_TRADE,
    CLOSES,
    EVERY_ACCOUNT,
    SESSION_KINDS,
    SETTLE,
)
from htbot.services.trade_record import manual_decision

RECORD_WITHIN_S = 0.25
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommandParts:
    """What commands are executed with. `strangers` names what the broker holds in a scope that is not ours.

    `positions` are all that it holds, by account and contract id. `accounts` are those that this desk trades. `settle`
    books an expired trade at what a person has told.
    """

    database: DatabaseThread
    ledger: Ledger
    journal: Journal
    orders: OrderDesk
    guard: ExitGuard
    book: OpenBook
    sales: LevelSales
    numbers: OrderNumbers
    hold: Hold
    strangers: Callable[[str], list[str]]
    positions: Callable[[], Mapping[tuple[str, int], tuple[Contract, int]]]
    accounts: Callable[[], Collection[str]]
    settle: Callable[[str, Settlement, datetime], Awaitable[Settled]]
    market_open: Callable[[datetime], bool]


class CommandDesk:
    """Takes open commands in their order; a command is done when its end state is verified, not when it was sent."""

    def __init__(self, parts: CommandParts) -> None:
        self._parts = parts
        self._open: dict[UUID, Command] = {}
        self._by_key: dict[str, Command] = {}  # ended ones too
        self._meant: dict[UUID, set[str]] = {}  # trades that an open command has been closing
        self._strange: dict[UUID, frozenset[str]] = {}  # what was not ours when it came

    @property
    def busy(self) -> bool:
        """True while a command is open."""
        return bool(self._open)

    def closes(self, account: str) -> bool:
        """True while a command is open that closes everything of an account."""
        scopes = {scope(command) for command in self._open.values() if command.kind == CLOSE_ALL}
        return bool(scopes & {account, EVERY_ACCOUNT})

    # --- taking ----------------------------------------------------------------------------------------------------

    async def hear(self, request: CommandRequest) -> Command:
        """Take a command by the desk's own line: promised in the journal before it is answered.

        The same key is the same command, also when that has ended; a close of a scope joins one of it, or of
        everything, that is under way. With the journal stuck it is promised by the record.

        Raises:
            Retryable: the desk has not taken over yet.
            CallerMistake: the key belongs to another command.
        """
        if not self._parts.journal.opened:
            raise Retryable("the desk has not taken over yet: try again in a moment")
        # memory is asked again: another may have come while the record was read
        known = self._known(request) or await self._recorded(request) or self._known(request)
        if known is not None:
            return known
        command = _command(uuid4(), request)
        self._open[command.id] = self._by_key[request.idempotency_key] = command
        try:
            number = await self._parts.journal.promise(COMMAND, _to_json(command))
        except JournalStuck as error:
            _log.critical("command %s is promised by the record: %s", command.id, error)
            number = None
        self._store(command, number)
        try:
            self.drive(request.created_at)
        except ConnectionError as error:  # taken all the same: it is driven on when the broker is back
            _log.warning("command %s met a broken session: %s", command.id, error)
        return command

    def _known(self, request: CommandRequest) -> Command | None:
        """The command that this request is or joins, as far as memory knows."""
        for known in self._open.values():
            if request.kind == known.kind == CLOSE_ALL and scope(known) in {request.params["scope"], EVERY_ACCOUNT}:
                return known
        of_key = self._by_key.get(request.idempotency_key)
        return None if of_key is None else same(of_key, request)

    async def _recorded(self, request: CommandRequest) -> Command | None:
        """The same for the record, which is not waited for: with PostgreSQL dead memory has to do."""
        reading = self._parts.database.run(lambda session: CommandRepository(session).of_key(request.idempotency_key))
        try:
            found = await asyncio.wait_for(reading, RECORD_WITHIN_S)
        except (Retryable, TimeoutError):
            return None
        if found is None:
            return None
        self._by_key[found.idempotency_key] = found  # it is known when PostgreSQL is dead, too
        return same(found, request)

    def replay(self, entry: Entry) -> None:
        """A command that the journal has and the record may not have; one that has ended there is not done again."""
        command = _from_json(entry.body)
        self._by_key[command.idempotency_key] = command
        self._store(command, entry.number)

    def _store(self, command: Command, number: int | None) -> None:
        self._parts.ledger.post(partial(create, command=command), lambda stored: self._stored(command, stored, number))

    def _stored(self, command: Command, stored: Command, number: int | None) -> None:
        """The record has it: under this id, or under that of an earlier call."""
        self._open.pop(command.id, None)
        self._by_key[command.idempotency_key] = stored
        if stored.state in {CommandState.PENDING, CommandState.RUNNING}:
            self._open[stored.id] = stored
        if number is not None:
            self._parts.journal.taken(number)

    # --- doing -----------------------------------------------------------------------------------------------------

    def drive(self, now: datetime) -> None:
        """Do what open commands ask for, as far as it is not done; from memory."""
        for command in self._open.values():
            if command.kind in CLOSES:
                self._close_all(command, now)
            elif command.kind == CANCEL:
                ref = str(command.params.get("ref", ""))
                self._parts.sales.cancel_named(None if ref == EVERY_ACCOUNT else ref, now)
                for live in self._named(ref):
                    self._parts.book.take_back(live.intent.ref)
                    self._parts.orders.cancel(live)

    def _named(self, ref: str) -> list[LiveOrder]:
        """The order of a reference, or all but the stops and targets that protect what is held."""
        every = ref == EVERY_ACCOUNT
        return [one for one in self._parts.orders.live if one.intent.ref == ref or (every and not one.protective)]

    def _close_all(self, command: Command, now: datetime) -> None:
        if command.id not in self._strange:
            self._strange[command.id] = frozenset(self._parts.strangers(scope(command)))
        for live in self._parts.orders.live:
            if not means(command, live.intent):
                continue
            if live.is_entry:
                self._parts.orders.cancel(live)
            elif not live.protective:
                self._parts.orders.hurry(live, now)
        reason = ExitReason(command.params.get("exit_reason", ExitReason.MANUAL))
        for held in self._parts.book.guarded:
            if means(command, held.trade):
                self._meant.setdefault(command.id, set()).add(held.trade.id)
                self._parts.guard.close(held, manual_decision(reason, now, f"command {command.id}"))

    async def run(self, now: datetime) -> None:
        """Read new commands, do them, and tell the record how far each has come."""
        found = await self._parts.database.run(lambda session: CommandRepository(session).open())
        for one in found:
            if one.kind not in SESSION_KINDS and one.id not in self._open:
                self._open[one.id] = self._by_key[one.idempotency_key] = one
        self.drive(now)
        for command in tuple(self._open.values()):
            if command.kind in CLOSES:
                await self._end_close(command, now)
            elif command.kind == CANCEL:
                await self._end_cancel(command, now)
            elif command.kind == SETTLE:
                await self._settle(command, now)
        await self._parts.hold.obey([one for one in found if one.kind in SESSION_KINDS], now, at_broker=True)

    async def _end_close(self, command: Command, now: datetime) -> None:
        meant = frozenset(self._meant.get(command.id, ()))
        progress = await self._parts.ledger.write(lambda session: go_on(session, command, meant, now))
        own = self._parts.accounts()
        left, elsewhere = await self._parts.database.run(partial(live_trades, close=command, own=own))
        guarded = [item.trade for item in self._parts.book.guarded if item.trade.account in own]
        if not left and not any(means(command, trade) for trade in guarded):
            await self._end_flat(command, progress, elsewhere, now)
        elif not self._parts.market_open(now) and not self._under_way(command):
            result = {"flat": False, "left": left, "why": "the market is closed and nothing is queued: ask again then"}
            await self._advance(command, CommandState.RUNNING, CommandState.FAILED, now, result)

    def _under_way(self, close: Command) -> bool:
        """Whether an order that a close means is not over, stop and target apart."""
        return any(means(close, live.intent) and not live.protective for live in self._parts.orders.live)

    async def _end_flat(
        self, command: Command, progress: Mapping[str, list[str]], elsewhere: list[str], now: datetime
    ) -> None:
        """Our fills have closed it all: the end, once the broker's positions say so too or have had time to."""
        trades = await self._parts.database.run(lambda session: TradeRepository(session).of_ids(progress["trades"]))
        closed = [trade for trade in trades.values() if trade.state is TradeState.CLOSED]
        shown = self._still_shown(command, closed)
        if shown and any(now - trade.closed_at < SHOWN_WITHIN for trade in closed if trade.closed_at is not None):
            return
        strange = [] if command.kind == CLOSE_TRADE else self._parts.strangers(scope(command))
        result: dict[str, Any] = {"flat": not (elsewhere or shown), **ended(trades.values())}
        result |= {"withdrawn": progress["withdrawn"], "left_alone": [one for one in strange if one not in shown]}
        result |= {"not_here": elsewhere} if elsewhere else {}
        result |= {"still_shown": shown} if shown else {}
        await self._advance(command, CommandState.RUNNING, CommandState.DONE, now, result)
        _log.info("command %s: %s is %s", command.id, command.params, f"closed, but for {shown}" if shown else "flat")

    def _still_shown(self, close: Command, closed: Iterable[Trade]) -> list[str]:
        """What the broker shows in the contracts of closed trades, and neither ours nor there before the command."""
        contracts = {(trade.account, leg.con_id) for trade in closed for leg in trade.legs}
        shown = {key: held for key, held in self._parts.positions().items() if key in contracts}
        strange = self._strange.get(close.id, ())
        return [one for one in self._parts.book.strangers(shown, EVERY_ACCOUNT) if one not in strange]

    async def _end_cancel(self, command: Command, now: datetime) -> None:
        ref = str(command.params.get("ref", ""))
        await self._advance(command, CommandState.PENDING, CommandState.RUNNING, now, {})
        for used in await self._parts.ledger.write(lambda session: withdraw_named(session, ref, now)):
            self._parts.numbers.used_exit(used)
        if not self._named(ref):
            await self._advance(command, CommandState.RUNNING, CommandState.DONE, now, {"working": 0})

    async def _settle(self, command: Command, now: datetime) -> None:
        await self._advance(command, CommandState.PENDING, CommandState.RUNNING, now, {})
        told = _said(command.params.get("price"), command.params.get("legs"), command.params.get("quantity"))
        ended = await self._parts.settle(str(command.params["trade"]), told, now)
        if isinstance(ended, StillStands):
            return  # asked again at the next look
        booked: Sequence[Fill] | None = ended.fills if isinstance(ended, Expired) else None
        if booked is None:  # a desk that died before it could say so may have done it
            booked = await self._parts.database.run(
                partial(_settled_before, trade_id=str(command.params["trade"]), told=told)
            )
        if booked is not None:
            legs = [f"{fill.side} {fill.quantity} {_named(fill)} at {fill.price}" for fill in booked]
            await self._advance(command, CommandState.RUNNING, CommandState.DONE, now, {"booked": legs})
        elif not isinstance(ended, Expired):
            await self._advance(command, CommandState.RUNNING, CommandState.FAILED, now, {"why": ended.reason})

    async def _advance(
        self, command: Command, before: CommandState, after: CommandState, now: datetime, result: Mapping[str, Any]
    ) -> None:
        await self._parts.ledger.write(
            lambda session: CommandRepository(session).advance(command.id, before, after, now, result)
        )
        if after in {CommandState.DONE, CommandState.FAILED}:
            self._open.pop(command.id, None)
            self._meant.pop(command.id, None)
            self._strange.pop(command.id, None)
            self._by_key[command.idempotency_key] = replace(command, state=after)


def _named(fill: Fill) -> str:
    return fill.symbol if fill.strike is None else f"{fill.strike} {fill.right}"


def _said(price: object, legs: Mapping[str, object] | None, quantity: int | None) -> Settlement:
    """What a person has told of a trade that is gone at the broker, from JSON."""
    by_leg = {int(con_id): Decimal(str(closed)) for con_id, closed in (legs or {}).items()}
    return Settlement(None, None if price is None else Decimal(str(price)), legs=by_leg, quantity=quantity)


def _settled_before(session: Session, trade_id: str, told: Settlement) -> Sequence[Fill] | None:
    """What the end of a trade has booked by what a person told; None when it was not booked so."""
    for stored in IntentRepository(session).of_trade(trade_id):
        evidence = stored.evidence
        if "settlement" not in evidence:
            continue
        if _said(evidence["settlement"], evidence.get("legs"), evidence.get("quantity")) == told:
            return FillRepository(session).of_ref(stored.intent.ref)
    return None


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
