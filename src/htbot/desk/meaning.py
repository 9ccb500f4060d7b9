"""What a command of a person means: which trades and orders, and whether two calls are the same one."""

from __future__ import annotations

from htbot.domain.errors import CallerMistake
from htbot.domain.orders import OrderIntent
from htbot.domain.trades import Trade
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRequest
from htbot.services.command_kinds import CLOSE_TRADE, EVERY_ACCOUNT


def same(known: Command, request: CommandRequest) -> Command:
    """The command of a key, or that a close joins.

    Raises:
        CallerMistake: the key is another command's.
    """
    joins = known.idempotency_key != request.idempotency_key
    if joins or (known.kind, known.params) == (request.kind, request.params):
        return known
    raise CallerMistake(f"idempotency key {request.idempotency_key!r} was used for another {known.kind}: use a new key")


def scope_of(command: Command) -> str:
    """The account that a command is for, or all of them."""
    return str(command.params.get("scope", EVERY_ACCOUNT))


def means(close: Command, what: Trade | OrderIntent) -> bool:
    """Whether a command to close means this trade, or the trade of this order."""
    if close.kind == CLOSE_TRADE:
        return bool(close.params.get("trade") == (what.id if isinstance(what, Trade) else what.trade_id))
    return scope_of(close) in {EVERY_ACCOUNT, what.account}
