"""Trades, their marks, and the result of a day."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from htbot.domain.orders import Purpose
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Leg
from htbot.domain.trades import RECORDED, TradeState, less, plain_money, sum_of
from htbot.execution.exits import bounds_usd
from htbot.persistence.codecs import legs_from_json, rules_from_json
from htbot.persistence.executions import in_force
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import DayPnl, OpenPnl, OpenTradeView, TradeLegView, TradeView
from htbot.persistence.repositories.base import on_day
from htbot.persistence.repositories.trades import to_trade
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import FillRow
from htbot.persistence.rows.portfolio import PnlSnapshotRow
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import LIVE_TRADE_STATES
from htbot.portfolio.pnl import maximum_loss_usd


@dataclass(frozen=True, slots=True)
class LegPrice:
    """Average fill of one leg, and whether any of it was at a modelled quote."""

    price: Decimal
    modelled: bool


LegPrices = dict[tuple[str, int, Purpose], LegPrice]


def trades(session: Session, chosen: Selection, symbol: str | None = None, status: str = "all") -> list[TradeView]:
    """Trades that have a fill or may still get one, oldest first; entries that ended without a fill are left out.

    `status` is a state, which may be `void`, or `live` (not over) or `all`.
    """
    states: tuple[TradeState, ...] = tuple(state for state in TradeState if state is not TradeState.VOID)
    if status != "all":
        states = LIVE_TRADE_STATES if status == "live" else (TradeState(status),)
    query = (
        select(TradeRow)
        .where(TradeRow.state.in_(states))
        .order_by(TradeRow.opened_at.desc(), TradeRow.id.desc())
        .limit(chosen.limit)
    )
    if chosen.accounts:
        query = query.where(TradeRow.account.in_(chosen.accounts))
    if symbol is not None:
        query = query.where(TradeRow.symbol == symbol)
    if chosen.day is not None:
        query = query.where((TradeRow.session == chosen.day) | on_day(TradeRow.closed_at, chosen.day))
    rows = list(reversed(session.scalars(query).all()))
    prices = leg_prices(session, [row.id for row in rows])
    return [trade_view(row, prices) for row in rows]


def trade(session: Session, trade_id: str) -> TradeView | None:
    """One trade, whatever became of it; None when there is none of this id."""
    row = session.get(TradeRow, trade_id)
    return None if row is None else trade_view(row, leg_prices(session, [row.id]))


def leg_prices(session: Session, trade_ids: Sequence[str]) -> LegPrices:
    """Average fill of each leg of each trade, by purpose of the order."""
    query = (
        select(
            IntentRow.trade_id,
            FillRow.con_id,
            IntentRow.purpose,
            func.sum(FillRow.price * FillRow.quantity),
            func.sum(FillRow.quantity),
            func.bool_or(FillRow.modelled),
        )
        .join(IntentRow, IntentRow.ref == FillRow.ref)
        .where(IntentRow.trade_id.in_(trade_ids), in_force())
        .group_by(IntentRow.trade_id, FillRow.con_id, IntentRow.purpose)
    )
    return {
        (trade_id, con_id, purpose): LegPrice(plain_money((Decimal(paid) / quantity).quantize(RECORDED)), modelled)
        for trade_id, con_id, purpose, paid, quantity, modelled in session.execute(query)
    }


def trade_view(row: TradeRow, prices: LegPrices) -> TradeView:
    """A trade with the fills of its legs."""
    known = row.gross_pnl_usd is not None and row.commissions_usd is not None
    return TradeView(
        id=row.id,
        strategy=row.strategy,
        account=row.account,
        symbol=row.symbol,
        direction=row.direction,
        state=row.state.value,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        legs=_legs(row, prices),
        quantity=row.quantity,
        width=row.width,
        credit=_of_spread(row, row.credit),
        debit=_of_spread(row, row.debit),
        exit_reason=None if row.exit_reason is None else row.exit_reason.value,
        gross_pnl=row.gross_pnl_usd,
        commissions=row.commissions_usd,
        net_pnl=row.gross_pnl_usd - row.commissions_usd if known else None,  # type: ignore[operator]
        max_gain=row.max_gain_usd,
        duration_s=None if row.closed_at is None else (row.closed_at - row.opened_at).total_seconds(),
        config_hash=row.config_hash,
        closed=row.closed,
    )


def _legs(row: TradeRow, prices: LegPrices) -> list[TradeLegView]:
    return [_leg(row, leg, prices) for leg in legs_from_json(row.legs)]


def _leg(row: TradeRow, leg: Leg, prices: LegPrices) -> TradeLegView:
    entry, exit_ = prices.get((row.id, leg.con_id, Purpose.ENTRY)), prices.get((row.id, leg.con_id, Purpose.EXIT))
    return TradeLegView(
        con_id=leg.con_id,
        symbol=leg.symbol,
        expiry=leg.expiry,
        strike=leg.strike,
        right=None if leg.right is None else leg.right.value,
        side="BUY" if leg.ratio > 0 else "SELL",
        quantity=abs(leg.ratio) * row.quantity,
        fill=None if entry is None else entry.price,
        exit_fill=None if exit_ is None else exit_.price,
        modelled=any(price.modelled for price in (entry, exit_) if price is not None),
    )


def open_trades(session: Session, account: str | None = None) -> list[OpenTradeView]:
    """Trades that are opening, open or closing, each with its last mark."""
    query = select(TradeRow).where(TradeRow.state.in_(LIVE_TRADE_STATES)).order_by(TradeRow.opened_at, TradeRow.id)
    if account is not None:
        query = query.where(TradeRow.account == account)
    rows = session.scalars(query).all()
    prices = leg_prices(session, [row.id for row in rows])
    marks = _last_marks(session, [row.id for row in rows])
    return [_open_view(row, prices, marks.get(row.id)) for row in rows]


def _last_marks(session: Session, trade_ids: Sequence[str]) -> dict[str, PnlSnapshotRow]:
    query = (
        select(PnlSnapshotRow)
        .where(PnlSnapshotRow.trade_id.in_(trade_ids))
        .ext(distinct_on(PnlSnapshotRow.trade_id))
        .order_by(PnlSnapshotRow.trade_id, PnlSnapshotRow.as_of.desc())
    )
    return {mark.trade_id: mark for mark in session.scalars(query)}


def _open_view(row: TradeRow, prices: LegPrices, mark: PnlSnapshotRow | None) -> OpenTradeView:
    rules = rules_from_json(row.rules)
    run = rules.momentum
    bounds = (None, None) if row.credit is None else bounds_usd(to_trade(row), row.credit)
    left = row.quantity - row.closed
    stop, target = (None if bound is None else bound * left / row.quantity for bound in bounds)
    return OpenTradeView(
        id=row.id,
        strategy=row.strategy,
        account=row.account,
        symbol=row.symbol,
        direction=row.direction,
        state=row.state.value,
        opened_at=row.opened_at,
        legs=_legs(row, prices),
        quantity=row.quantity,
        width=row.width,
        credit=_of_spread(row, row.credit),
        maximum_loss=maximum_loss(row),
        mark=None if mark is None else to_trade(row).shown(mark.mid_debit),
        natural=None if mark is None else to_trade(row).shown(mark.natural_debit),
        pnl_mid=None if mark is None else mark.mid_pnl_usd,
        pnl_natural=None if mark is None else mark.natural_pnl_usd,
        max_gain=None if mark is None else mark.max_gain_usd,
        marked_at=None if mark is None else mark.as_of,
        target=rules.profit_target_usd if target is None else _dollars(target),
        stop=rules.stop_loss_usd if stop is None else _dollars(-stop),
        exit_at=rules.exit_at,
        flat_deadline=rules.flat_deadline,
        turns_above=None if run is None or row.credit is None else plain_money(run.multiple * -row.credit),
        closed=row.closed,
        realized=row.gross_pnl_usd,
        commissions=row.commissions_usd,
    )


def maximum_loss(row: TradeRow) -> Decimal | None:
    """What a trade can lose, in dollars; None before it is filled."""
    loss = maximum_loss_usd(to_trade(row))
    return None if loss is None else _dollars(loss)


def _dollars(amount: Decimal) -> Decimal:
    """To the cent: a share of a trade may be no whole number of them."""
    return amount.quantize(Decimal("0.01"))


def _of_spread(row: TradeRow, amount: Decimal | None) -> Decimal | None:
    """Credit and debit are those of spreads; the price of what has one leg stands with it (INTERFACE)."""
    return None if row.width is None else amount


def last_day(session: Session, account: str | None = None) -> date | None:
    """The latest session that has a trade."""
    query = select(func.max(TradeRow.session))
    if account is not None:
        query = query.where(TradeRow.account == account)
    return session.scalar(query)


def day_pnl(session: Session, day: date | None, account: str | None = None) -> DayPnl:
    """Sum over the trades that were closed on a day."""
    return _day_of(day, [] if day is None else _closed(session, day, day, account))


def days_pnl(session: Session, year: int, month: int, account: str | None = None) -> list[DayPnl]:
    """The same for each day of a month on which a trade was closed, in order."""
    first, last = date(year, month, 1), date(year, month, monthrange(year, month)[1])
    rows = _closed(session, first, last, account)
    return [_day_of(day, list(group)) for day, group in groupby(rows, lambda row: to_trade(row).counted_on)]


def _closed(session: Session, first: date, last: date, account: str | None) -> Sequence[TradeRow]:
    begins = datetime.combine(first, time.min, NEW_YORK)
    ends = datetime.combine(last + timedelta(days=1), time.min, NEW_YORK)
    closed = (TradeRow.state == TradeState.CLOSED) & (TradeRow.closed_at >= begins) & (TradeRow.closed_at < ends)
    query = select(TradeRow).where(closed).order_by(TradeRow.closed_at)
    if account is not None:
        query = query.where(TradeRow.account == account)
    return session.scalars(query).all()


def _day_of(day: date | None, rows: Sequence[TradeRow]) -> DayPnl:
    gross = sum_of([row.gross_pnl_usd for row in rows])
    commissions = sum_of([row.commissions_usd for row in rows])
    return DayPnl(day, len(rows), gross, commissions, less(gross, commissions))


def days_together(parts: Sequence[DayPnl]) -> DayPnl:
    """The same day of several accounts as one."""
    gross, commissions, net = (
        sum_of([getattr(part, name) for part in parts]) for name in ("gross", "commissions", "net")
    )
    return DayPnl(parts[0].day, sum(part.trades for part in parts), gross, commissions, net)


def open_pnl(views: Sequence[OpenTradeView]) -> OpenPnl:
    """Sum over open trades at their last marks, with what profit levels have realised of them and what was paid."""
    filled = [view for view in views if view.maximum_loss is not None]
    sold = [view.realized for view in filled if view.closed]
    return OpenPnl(
        trades=len(views),
        mid=sum_of([*(view.pnl_mid for view in filled), *sold]),
        natural=sum_of([*(view.pnl_natural for view in filled), *sold]),
        maximum_loss=sum_of([view.maximum_loss for view in filled]),
        as_of=max((view.marked_at for view in filled if view.marked_at is not None), default=None),
        commissions=sum_of(view.commissions for view in filled),
    )
