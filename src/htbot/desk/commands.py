"""Commands of people, executed: each is a durable row that is driven to its end through any number of restarts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from htbot.desk.guard import ExitGuard
from htbot.desk.orders import OrderDesk
from htbot.desk.threads import DatabaseThread
from htbot.domain.orders import ExitReason, Purpose
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRepository, IntentRepository, TradeRepository
from htbot.persistence.states import CommandState
from htbot.services.commands import CANCEL, CLOSE_ALL, EVERY_ACCOUNT
from htbot.services.trade_record import manual_decision, settle_trade

_log = logging.getLogger(__name__)


class CommandDesk:
    """Takes open commands in their order; a command is done when its end state is verified, not when it was sent."""

    def __init__(self, database: DatabaseThread, orders: OrderDesk, guard: ExitGuard) -> None:
        self._database = database
        self._orders = orders
        self._guard = guard

    async def run(self, now: datetime) -> None:
        """One look at every open command."""
        for command in await self._database.run(lambda session: CommandRepository(session).open()):
            if command.kind == CLOSE_ALL:
                await self._close_all(command, now)
            elif command.kind == CANCEL:
                await self._cancel(command, now)

    async def _close_all(self, command: Command, now: datetime) -> None:
        scope = str(command.params.get("scope", EVERY_ACCOUNT))
        await self._advance(command, CommandState.PENDING, CommandState.RUNNING, now, {})
        await self._database.insist(lambda session: _withdraw_waiting(session, scope, now))
        for live in self._orders.live:
            if live.is_entry and _in_scope(live.intent.account, scope):
                self._orders.cancel(live)
            elif not live.is_entry and _in_scope(live.intent.account, scope):
                self._orders.hurry(live, now)
        trades = [trade for trade in self._guard.trades if _in_scope(trade.account, scope)]
        for trade in trades:
            if trade.state is TradeState.OPEN and not self._orders.live_of_trade(trade.id):
                decision = manual_decision(ExitReason.MANUAL, now, f"command {command.id}")
                await self._guard.ask_exit(trade, decision)
        left = await self._database.insist(lambda session: _live_trades(session, scope))
        if not left:
            await self._advance(command, CommandState.RUNNING, CommandState.DONE, now, {"flat": True})
            _log.info("command %s: %s is flat", command.id, scope)

    async def _cancel(self, command: Command, now: datetime) -> None:
        ref = str(command.params.get("ref", ""))
        await self._advance(command, CommandState.PENDING, CommandState.RUNNING, now, {})
        await self._database.insist(lambda session: _withdraw_named(session, ref, now))
        chosen = [live for live in self._orders.live if ref in {live.intent.ref, EVERY_ACCOUNT}]
        for live in chosen:
            self._orders.cancel(live)
        if not chosen:
            await self._advance(command, CommandState.RUNNING, CommandState.DONE, now, {"working": 0})

    async def _advance(
        self, command: Command, before: CommandState, after: CommandState, now: datetime, result: Mapping[str, Any]
    ) -> None:
        await self._database.insist(
            lambda session: CommandRepository(session).advance(command.id, before, after, now, result)
        )


def _in_scope(account: str, scope: str) -> bool:
    return scope in {EVERY_ACCOUNT, account}


def _live_trades(session: Session, scope: str) -> list[Trade]:
    return [trade for trade in TradeRepository(session).live() if _in_scope(trade.account, scope)]


def _withdraw_named(session: Session, ref: str, now: datetime) -> None:
    """What nobody has claimed yet does not leave any more."""
    intents = IntentRepository(session)
    for stored in intents.pending():
        if ref in {stored.intent.ref, EVERY_ACCOUNT} and intents.withdraw(stored.intent.ref, now, "cancelled"):
            settle_trade(session, stored.intent.trade_id, now)


def _withdraw_waiting(session: Session, scope: str, now: datetime) -> None:
    """Entries that nobody has claimed yet do not leave any more."""
    intents = IntentRepository(session)
    for stored in intents.pending(Purpose.ENTRY):
        if _in_scope(stored.intent.account, scope) and intents.withdraw(stored.intent.ref, now, "everything is closed"):
            settle_trade(session, stored.intent.trade_id, now)
