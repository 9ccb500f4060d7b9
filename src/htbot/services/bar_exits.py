"""Exits that a strategy on a plain instrument wishes itself: no gate is asked, and none is made twice."""

from __future__ import annotations

from sqlalchemy.orm import Session as Transaction

from htbot.domain.orders import ExitReason
from htbot.domain.signals import Signal
from htbot.persistence.repositories import SignalRepository, TradeRepository
from htbot.services.trade_record import manual_decision, request_exit


def leave(transaction: Transaction, signal: Signal, *, fresh: bool) -> bool:
    """Ask for the close of what the signal's strategy holds; False when its bar was acted on before.

    A wish that is found out late closes nothing: what is held by then may be another position.
    """
    live = TradeRepository(transaction).live(account=signal.account, strategy=signal.strategy)
    why_not = None
    if not live:
        why_not = "nothing is held any more"
    elif not fresh:
        why_not = "the bar was seen too late"
    if SignalRepository(transaction).add(signal, why_not) is None:
        return False
    for trade in live if why_not is None else ():
        request_exit(transaction, trade.id, manual_decision(ExitReason.OTHER, signal.as_of, signal.reason))
    return True
