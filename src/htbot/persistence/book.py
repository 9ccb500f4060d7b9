"""What the record says of one strategy in one account at one instant: the book that risk and strategies look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from htbot.domain.orders import Purpose
from htbot.domain.trades import TradeState
from htbot.persistence.repositories import DeskStateRepository, HaltRepository, IntentRepository, SignalRepository
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import LIVE_INTENT_STATES, LIVE_TRADE_STATES
from htbot.risk.book import Book

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class BookKey:
    """Whose book: a strategy in an account, on a session day."""

    strategy: str
    account: str
    session: date


class BookQuery:
    """Reads a `Book` in the transaction that stores the decision made from it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, key: BookKey, as_of: datetime) -> Book:
        """The book at a market time, held until the transaction ends: a second decision waits for the first to commit.

        Entries count whether they filled or not, as their levels do (RULINGS 2). Halts that nobody cleared count
        whatever their market time is.
        """
        name = f"book {key.strategy} {key.account}"
        self._session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
        of_account = and_(TradeRow.account == key.account, TradeRow.opened_at <= as_of)
        of_strategy = and_(of_account, TradeRow.strategy == key.strategy)
        today = TradeRow.session == key.session
        of_today = and_(of_strategy, today)
        signals, intents = SignalRepository(self._session), IntentRepository(self._session)
        return Book(
            open_trades=self._count(TradeRow, of_strategy, TradeRow.state.in_(LIVE_TRADE_STATES)),
            working_orders=self._count(IntentRow, *_orders(key, as_of), IntentRow.state.in_(LIVE_INTENT_STATES)),
            entries_today=self._count(TradeRow, of_today),
            next_sequence=intents.next_sequence(key.strategy, key.account, key.session, Purpose.ENTRY),
            spent_levels=signals.spent_levels(key.strategy, key.account, key.session, as_of),
            last_exit_at=self._last_exit(of_today, as_of),
            last_entry_at=self._session.scalar(select(func.max(TradeRow.opened_at)).where(of_today)),
            strategy_realized_today_usd=self._realized(of_today),
            account_realized_today_usd=self._realized(and_(of_account, today)),
            open_maximum_loss_usd=self._open_maximum_loss(of_account),
            orders_last_minute=self._count(IntentRow, *_orders(key, as_of), IntentRow.created_at > as_of - _MINUTE),
            halted_by=self._halted_by(as_of),
            reconciled=DeskStateRepository(self._session).reconciled(),
        )

    def _count(self, rows: type[TradeRow | IntentRow], *conditions: ColumnElement[bool]) -> int:
        return self._session.scalars(select(func.count()).select_from(rows).where(*conditions)).one()

    def _last_exit(self, of_today: ColumnElement[bool], as_of: datetime) -> datetime | None:
        ended = and_(TradeRow.state == TradeState.CLOSED, TradeRow.closed_at <= as_of)
        return self._session.scalar(select(func.max(TradeRow.closed_at)).where(of_today, ended))

    def _realized(self, trades: ColumnElement[bool]) -> Decimal:
        """Gross less commissions, each as far as it is known."""
        net = func.coalesce(TradeRow.gross_pnl_usd, 0) - func.coalesce(TradeRow.commissions_usd, 0)
        query = select(func.coalesce(func.sum(net), 0)).where(trades)
        return Decimal(self._session.scalars(query).one())

    def _open_maximum_loss(self, of_account: ColumnElement[bool]) -> Decimal:
        """Width less credit of every live trade, of any session; before a fill the least credit its entry accepts.

        An entry that still works counts with its whole quantity, filled or not.
        """
        query = (
            select(TradeRow, IntentRow)
            .outerjoin(IntentRow, and_(IntentRow.trade_id == TradeRow.id, IntentRow.purpose == Purpose.ENTRY))
            .where(of_account, TradeRow.state.in_(LIVE_TRADE_STATES))
            .execution_options(populate_existing=True)
        )
        return sum((_maximum_loss(trade, entry) for trade, entry in self._session.execute(query)), Decimal(0))

    def _halted_by(self, as_of: datetime) -> str | None:
        halts = HaltRepository(self._session).active(as_of)
        return "; ".join(f"{halt.kind.value} by {halt.source}: {halt.reason}" for halt in halts) or None


def _orders(key: BookKey, as_of: datetime) -> tuple[ColumnElement[bool], ...]:
    return IntentRow.account == key.account, IntentRow.created_at <= as_of


def _maximum_loss(trade: TradeRow, entry: IntentRow | None) -> Decimal:
    credit, quantity = trade.credit or Decimal(0), trade.quantity
    if entry is not None and entry.state in LIVE_INTENT_STATES:
        quantity = max(quantity, entry.quantity)
        credit = -entry.worst_limit
    return (trade.width - credit) * int(trade.legs[0]["multiplier"]) * quantity
