"""Books the end of a trade whose legs have expired, once; what it cannot know it hands to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from htbot.alerts.wording import error_alert
from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason, OrderIntent, Purpose, order_reference
from htbot.domain.trades import Trade, TradeState
from htbot.execution.expiry import (
    Expired,
    ExpiryCase,
    NeedsPerson,
    NotExpired,
    Settlement,
    settle_expired,
    settle_shares,
)
from htbot.execution.intents import closable_quantity, exit_intent
from htbot.execution.trade_fold import net_by_contract
from htbot.persistence.repositories import (
    DeskStateRepository,
    IntentRepository,
    PnlRepository,
    PositionRepository,
    ReconciliationRepository,
    TradeRepository,
)
from htbot.persistence.repositories.intents import sequence_of
from htbot.portfolio.positions import latest
from htbot.services.bookings import Execution, PositionFolds
from htbot.services.outbox import tell_seldom
from htbot.services.trade_record import rows_of, settle_trade

_HELD = frozenset({TradeState.OPEN, TradeState.CLOSING})
_LAST_LOOK = timedelta(minutes=1)
"""Trades are marked every 30 seconds while the exchange is open."""


@dataclass(frozen=True, slots=True)
class BrokerSide:
    """What the broker shows of the account by contract id, and every execution that it told."""

    holdings: Mapping[int, int]
    executions: Sequence[Fill] = ()


def book_expiry(
    session: Session, trade_id: str, broker: BrokerSide, settlement: Settlement, as_of: datetime, epoch: int
) -> Expired | NotExpired | NeedsPerson:
    """Close a trade whose legs are gone at the broker by what they were worth at expiry, or what a person says.

    The closing fills are booked under an exit that was never sent: it is stored as filled, with the settlement as its
    evidence. A case for a person is told, at most once each 15 minutes.

    Args:
        session: the desk's transaction.
        trade_id: an open trade; any other has not expired.
        broker: the broker's side as its session shows it now, before a look-up.
        settlement: close of the expiry day's session and settlement price of the underlying, None where unknown.
        as_of: market time, aware UTC.
        epoch: the desk's.

    Raises:
        Superseded: another desk has begun an epoch.
    """
    DeskStateRepository(session).require_epoch(epoch)
    trade = TradeRepository(session).get(trade_id, lock=True)
    if trade is None or trade.state not in _HELD:
        return NotExpired(f"{trade_id} is not open")
    rows = rows_of(session, trade)
    if rows.live_exit is not None or not rows.entry_over:
        return NotExpired(f"{trade_id} has an order that has not ended")
    intents = IntentRepository(session)
    sequence = intents.next_sequence(trade.strategy, trade.account, trade.session, Purpose.EXIT)
    ref = order_reference(trade.strategy, trade.account, trade.session, Purpose.EXIT, sequence)
    case = ExpiryCase(trade, (*rows.entry_fills, *rows.exit_fills), broker.holdings, broker.executions)
    known = replace(settlement, unbid=_nobody_bid(session, trade, settlement.closed_at))
    if trade.plain is not None:
        books = PositionRepository(session).quantity(trade.account, trade.plain.con_id)
        return _book_shares(session, trade, settle_shares(case, known, books, ref, as_of), known, epoch)
    ended = settle_expired(case, known, ref, as_of)
    if isinstance(ended, NeedsPerson):
        legs = " ".join(f"--leg {leg.con_id}=PRICE" for leg in trade.spread_legs)
        what = "it: htbot settle {} --price PRICE" if ended.price_missing else f"them: htbot settle {{}} {legs}"
        text = f"{trade_id} has expired at the broker and a person has to close it in our books: {ended.reason}"
        text += f"; when you know {what.format(trade_id)}"
        tell_seldom(session, error_alert("expiry", text, as_of, trade_id=trade_id, account=trade.account))
    elif isinstance(ended, Expired):
        quantity = max(1, closable_quantity(trade.legs, net_by_contract(latest(case.ours))))
        intent = exit_intent(trade, ExitReason.EXPIRY, None, as_of, quantity, sequence)
        _book(session, intent, ended, known, epoch)
    return ended


def _book_shares(
    session: Session, trade: Trade, ended: Expired | NotExpired, told: Settlement, epoch: int
) -> Expired | NotExpired:
    if isinstance(ended, Expired):
        [fill] = ended.fills
        intent = exit_intent(trade, ExitReason.MANUAL, None, fill.executed_at, fill.quantity, sequence_of(fill.ref))
        _book(session, intent, ended, told, epoch)
    return ended


def _nobody_bid(session: Session, trade: Trade, closed_at: datetime | None) -> bool:
    """Whether a bought option was marked just before the close, believably and without a bid, and was ours after that.

    The broker has to have been seen to hold it at that mark or later: what a person has sold is gone as well.
    """
    if trade.single is None or closed_at is None:
        return False
    mark = PnlRepository(session).latest_snapshot(trade.id, closed_at)
    if mark is None or closed_at - mark.as_of > _LAST_LOOK or mark.details.get("doubt", "unknown"):
        return False
    if mark.natural_debit != 0:
        return False
    return ReconciliationRepository(session).matched(trade.account, trade.single.con_id, since=mark.as_of)


def _book(session: Session, intent: OrderIntent, ended: Expired, settlement: Settlement, epoch: int) -> None:
    evidence: dict[str, Any] = {"settlement": settlement.price, "closed_at": settlement.closed_at, "detail": ended.how}
    if settlement.legs:
        evidence["legs"] = {str(con_id): price for con_id, price in settlement.legs.items()}
    if settlement.quantity is not None:
        evidence["quantity"] = settlement.quantity
    IntentRepository(session).add_filled(intent, evidence, epoch)
    PositionFolds().book(session, [Execution(fill, intent.created_at) for fill in ended.fills])
    settle_trade(session, intent.trade_id, intent.created_at)
