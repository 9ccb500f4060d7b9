"""Signals, orders, fills, positions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from htbot.domain.orders import Action
from htbot.domain.signals import OBSERVED, PlainLeg
from htbot.persistence.codecs import legs_from_json
from htbot.persistence.executions import in_force
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import FillView, LegView, OrderView, PositionView, SignalView
from htbot.persistence.repositories.base import on_day
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import FillRow, OrderRow
from htbot.persistence.rows.portfolio import PositionRow
from htbot.persistence.rows.signals import RiskDecisionRow, SignalRow
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import LIVE_TRADE_STATES


def signals(session: Session, chosen: Selection, strategy: str | None = None) -> list[SignalView]:
    """Signals that fired, oldest first; of one strategy when it is named."""
    query = (
        select(SignalRow, RiskDecisionRow)
        .outerjoin(RiskDecisionRow, RiskDecisionRow.signal_id == SignalRow.id)
        .order_by(SignalRow.as_of.desc(), SignalRow.id.desc())
        .limit(chosen.limit)
    )
    if strategy is not None:
        query = query.where(SignalRow.strategy == strategy)
    if chosen.accounts:
        query = query.where(SignalRow.account.in_(chosen.accounts))
    if chosen.day is not None:
        query = query.where(SignalRow.session == chosen.day)
    return [signal_view(row, decision) for row, decision in reversed(session.execute(query).all())]


def signal_view(row: SignalRow, decision: RiskDecisionRow | None) -> SignalView:
    """A signal with the words of the rule that refused it."""
    reason, refused_by = row.reason, row.refused_by
    if decision is not None and decision.refused_by is not None:
        refusal: dict[str, Any] = decision.outcomes[-1] if decision.outcomes else {}
        refused_by = decision.refused_by
        reason = f"{refused_by}: {refusal.get('reason') or 'refused'}"
    elif refused_by is not None:
        reason = refused_by
    if refused_by == OBSERVED:
        reason = row.reason
    observed = row.observed or refused_by == OBSERVED
    if observed:
        reason = f"{reason}; observed only, nothing is sent"
    return SignalView(
        ts=row.as_of,
        strategy=row.strategy,
        account=row.account,
        symbol=row.symbol,
        direction=row.direction,
        accepted=row.accepted,
        reason=reason,
        levels=row.levels,
        trend=row.trend,
        indicators=row.indicators,
        level=row.level,
        price=row.price,
        trigger=row.reason,
        refused_by=refused_by,
        action=row.action,
        observed=observed,
    )


def orders(session: Session, chosen: Selection) -> list[OrderView]:
    """Orders, oldest first."""
    query = (
        select(OrderRow, IntentRow)
        .join(IntentRow, IntentRow.ref == OrderRow.ref)
        .order_by(OrderRow.submitted_at.desc(), OrderRow.ref.desc())
        .limit(chosen.limit)
    )
    if chosen.accounts:
        query = query.where(OrderRow.account.in_(chosen.accounts))
    if chosen.day is not None:
        query = query.where(IntentRow.session == chosen.day)
    return [order_view(row, intent) for row, intent in reversed(session.execute(query).all())]


def order_view(row: OrderRow, intent: IntentRow) -> OrderView:
    """An order with the legs of its intent."""
    direction = 1 if row.action == "BUY" else -1
    action, limit = as_sent(intent, row.action, row.limit_price)
    average = None if row.average_price is None else as_sent(intent, row.action, row.average_price)[1]
    legs = [
        LegView(
            con_id=leg.con_id,
            symbol=leg.symbol,
            expiry=leg.expiry,
            strike=leg.strike,
            right=None if leg.right is None else leg.right.value,
            side="BUY" if leg.ratio * direction > 0 else "SELL",
            quantity=abs(leg.ratio) * row.quantity,
        )
        for leg in legs_from_json(intent.legs)
    ]
    return OrderView(
        ref=row.ref,
        order_id=row.order_id,
        perm_id=row.perm_id,
        account=row.account,
        purpose=row.purpose.value,
        action=action,
        quantity=row.quantity,
        limit=limit,
        status=row.state.value,
        filled=row.filled,
        avg_price=average,
        legs=legs,
        trade_id=intent.trade_id,
        submitted_at=row.submitted_at,
        changed_at=row.changed_at,
        error="" if row.error_code is None else f"{row.error_code} {row.error_text}".strip(),
        strategy=intent.strategy,
        style=intent.style.value,
        level=intent.level,
    )


_OTHER_SIDE = {Action.BUY: Action.SELL.value, Action.SELL: Action.BUY.value}


def as_sent(intent: IntentRow, action: Action, price: Decimal) -> tuple[str, Decimal]:
    """Side and price as the broker has them; our books have a short position in shares the other way round."""
    leg = legs_from_json(intent.legs)[0]
    if isinstance(leg, PlainLeg) and leg.ratio < 0:
        return _OTHER_SIDE[action], -price
    return action.value, price


def fills(session: Session, chosen: Selection, ref: str | None = None) -> list[FillView]:
    """Executions of single legs, oldest first; of one order when `ref` is given."""
    newest = (FillRow.executed_at.desc(), FillRow.exec_id.desc())
    query = select(FillRow).where(in_force()).order_by(*newest).limit(chosen.limit)
    if ref is not None:
        query = query.where(FillRow.ref == ref)
    query = _of_account(query, FillRow.account, chosen)
    if chosen.day is not None:
        query = query.where(on_day(FillRow.executed_at, chosen.day))
    return [
        FillView(
            exec_id=row.exec_id,
            ref=row.ref,
            ts=row.executed_at,
            account=row.account,
            con_id=row.con_id,
            symbol=row.symbol,
            expiry=row.expiry,
            strike=row.strike,
            right=None if row.right is None else row.right.value,
            side=row.side.value,
            quantity=row.quantity,
            price=row.price,
            commission=row.commission,
            modelled=row.modelled,
        )
        for row in reversed(session.scalars(query).all())
    ]


def _of_account(query: Select[Any], column: InstrumentedAttribute[str], chosen: Selection) -> Select[Any]:
    return query.where(column.in_(chosen.accounts)) if chosen.accounts else query


def positions(session: Session, account: str | None = None) -> list[PositionView]:
    """What is held; a flat book is empty. Marks are not in the record: the caller adds them."""
    query = select(PositionRow).where(PositionRow.quantity != 0).order_by(PositionRow.account, PositionRow.con_id)
    if account is not None:
        query = query.where(PositionRow.account == account)
    return position_views(session, session.scalars(query).all())


def position_views(session: Session, rows: Sequence[PositionRow]) -> list[PositionView]:
    """Positions with the live trade that holds each."""
    owners = _owners(session)
    return [
        PositionView(
            account=row.account,
            con_id=row.con_id,
            symbol=row.symbol,
            expiry=row.expiry,
            strike=row.strike,
            right=None if row.right is None else row.right.value,
            quantity=row.quantity,
            avg_price=row.average_price,
            multiplier=row.multiplier,
            trade_id=owners.get((row.account, row.con_id)),
        )
        for row in rows
    ]


def _owners(session: Session) -> dict[tuple[str, int], str]:
    """Which live trade holds which contract."""
    live = session.scalars(select(TradeRow).where(TradeRow.state.in_(LIVE_TRADE_STATES)))
    return {(trade.account, leg["con_id"]): trade.id for trade in live for leg in trade.legs}
