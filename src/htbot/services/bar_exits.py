"""Exits that a strategy on a plain instrument wishes itself: no gate is asked, and none is made twice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session as Transaction

from htbot.domain.orders import ExitReason
from htbot.domain.signals import Signal
from htbot.persistence.repositories import SignalRepository, TradeRepository
from htbot.services.trade_record import can_leave, manual_decision, request_exit


def leave(signal: Signal, reason: ExitReason, ended_at: datetime, transaction: Transaction) -> bool | None:
    """Ask for the close of what the signal's strategy holds; False when its bar was acted on before.

    However late the wish is found out, it closes what was there when its bar ended (`ended_at`), and nothing younger.
    None while an entry of that may still fill: nothing can be asked for yet, and nothing is recorded.
    """
    live = TradeRepository(transaction).live(account=signal.account, strategy=signal.strategy)
    meant = [trade for trade in live if trade.opened_at < ended_at]
    if not all(can_leave(transaction, trade) for trade in meant):
        return None
    why_not = None if meant else "nothing is held any more"
    if SignalRepository(transaction).add(signal, why_not) is None:
        return False
    for trade in meant:
        request_exit(transaction, trade.id, manual_decision(reason, signal.as_of, signal.reason))
    return True
