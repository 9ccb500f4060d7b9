"""What the record keeps of a command, what it has for it, and what a command means."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake
from htbot.domain.orders import OrderIntent, Purpose
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.codecs import plain
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRepository, CommandRequest, IntentRepository, TradeRepository
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import CLOSE_TRADE, EVERY_ACCOUNT
from htbot.services.trade_record import settle_trade

_log = logging.getLogger(__name__)


def scope(command: Command) -> str:
    """The account that a command is for, or `all`."""
    return str(command.params.get("scope", EVERY_ACCOUNT))


def means(close: Command, what: Trade | OrderIntent) -> bool:
    """Whether a command to close means this trade, or the trade of this order."""
    if close.kind == CLOSE_TRADE:
        return bool(close.params.get("trade") == (what.id if isinstance(what, Trade) else what.trade_id))
    return scope(close) in {EVERY_ACCOUNT, what.account}


def live_trades(session: Session, close: Command, own: Collection[str]) -> tuple[list[str], list[str]]:
    """Trades that a command means and that are not over: of the accounts that this desk trades, and of others."""
    live = [trade for trade in TradeRepository(session).live() if means(close, trade)]
    ours = [trade.id for trade in live if trade.account in own]
    return ours, [trade.id for trade in live if trade.account not in own]


def go_on(session: Session, close: Command, meant: Collection[str], now: datetime) -> dict[str, list[str]]:
    """Withdraw entries, and keep in the command which trades it met open: another desk may end it.

    `meant` are the trades that this desk has asked to close for it; returns `trades` and, by reference, `withdrawn`.
    """
    commands = CommandRepository(session)
    known = commands.get(close.id)
    before = {} if known is None else known.result
    gone = withdraw_entries(session, close, now)
    live = [trade.id for trade in TradeRepository(session).live() if means(close, trade)]
    progress = {
        "trades": sorted({*before.get("trades", ()), *meant, *live}),
        "withdrawn": [*before.get("withdrawn", ()), *gone],
    }
    began = commands.advance(close.id, CommandState.PENDING, CommandState.RUNNING, now, progress)
    if not began and progress != before:
        commands.advance(close.id, CommandState.RUNNING, CommandState.RUNNING, now, progress)
    return progress


def ended(trades: Iterable[Trade]) -> dict[str, list[str]]:
    """How trades ended: `closed`, or `cancelled` before anything of their entry was filled."""
    states = {trade.id: trade.state for trade in trades}
    words = {"closed": TradeState.CLOSED, "cancelled": TradeState.VOID}
    return {word: [one for one, state in states.items() if state is end] for word, end in words.items()}


def create(session: Session, command: Command) -> Command:
    """The row of a command; under a key of its own when the one that it was promised under proves to be another's."""
    request = CommandRequest(
        command.idempotency_key, command.kind, command.requested_by, command.created_at, command.params, command.id
    )
    commands = CommandRepository(session)
    try:
        return commands.create(request)[0]
    except CallerMistake as error:  # nobody could read that then, and what is promised is done
        own = replace(request, idempotency_key=f"{request.kind}:{request.id}")
        _log.warning("command %s is kept as %s: %s", request.id, own.idempotency_key, error)
        return commands.create(own)[0]


def same(known: Command, request: CommandRequest) -> Command:
    """The command of a request's key.

    Raises:
        CallerMistake: the key belongs to a command of another kind, or of something else.
    """
    if (known.kind, plain(known.params)) != (request.kind, plain(request.params)):
        of = next((f" of {known.params[name]}" for name in ("scope", "trade", "ref") if name in known.params), "")
        key = request.idempotency_key
        raise CallerMistake(f"idempotency key {key!r} belongs to another command, a {known.kind}{of}: use a new key")
    return known


def withdraw_named(session: Session, ref: str, now: datetime) -> list[str]:
    """What nobody has claimed yet does not leave any more; returns which."""
    intents, withdrawn = IntentRepository(session), []
    for stored in intents.pending():
        if ref in {stored.intent.ref, EVERY_ACCOUNT} and intents.withdraw(stored.intent.ref, now, "cancelled"):
            settle_trade(session, stored.intent.trade_id, now)
            withdrawn.append(stored.intent.ref)
    return withdrawn


def withdraw_entries(session: Session, close: Command, now: datetime) -> list[str]:
    """Entries that nobody has claimed yet do not leave any more; returns which."""
    intents, withdrawn = IntentRepository(session), []
    for stored in intents.pending(Purpose.ENTRY):
        ours = means(close, stored.intent)
        if ours and intents.withdraw(stored.intent.ref, now, "everything is closed"):
            settle_trade(session, stored.intent.trade_id, now)
            withdrawn.append(stored.intent.ref)
    return withdrawn
