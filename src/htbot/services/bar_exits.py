"""Exits that a strategy on a plain instrument wishes itself: no gate is asked, and none is made twice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session as Transaction

from htbot.domain.orders import ExitReason
from htbot.domain.signals import Signal
from htbot.engine.observation import LevelSale
from htbot.persistence.repositories import SignalRepository, TradeRepository
from htbot.services.trade_record import can_leave, manual_decision, request_exit


def leave(
    signal: Signal, ended_at: datetime, reason: ExitReason, sale: LevelSale | None, transaction: Transaction
) -> bool | None:
    """Ask for the close of what the signal's strategy holds; False when its bar was acted on before.

    However late the wish is found out, it closes what was there when its bar ended (`ended_at`), and nothing younger.
    None while an entry of that may still fill, or a part of it is being sold: nothing can be asked for yet, and nothing
    is recorded. A `sale` at profit levels is of a part.
    """
    live = TradeRepository(transaction).live(account=signal.account, strategy=signal.strategy)
    meant = [trade for trade in live if trade.opened_at < ended_at]
    if not all(can_leave(transaction, trade) for trade in meant):
        return None
    why_not = None if meant else "nothing is held any more"
    if SignalRepository(transaction).add(signal, why_not) is None:
        return False
    for trade in meant:
        request_exit(transaction, trade.id, manual_decision(reason, signal.as_of, signal.reason), sale)
    return True
