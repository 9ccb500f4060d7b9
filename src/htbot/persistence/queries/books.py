"""What the books are rebuilt from and compared with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from htbot.domain.fills import Fill
from htbot.domain.orders import Purpose
from htbot.domain.positions import Position
from htbot.persistence.repositories import FillRepository, PnlRepository, PositionRepository, TradeRepository
from htbot.persistence.rows.intents import IntentRow
from htbot.portfolio.rebuild import DayBook, TradeBook


@dataclass(frozen=True, slots=True)
class StoredBooks:
    """Every fill as the broker told it, and everything that was folded from them."""

    fills: list[Fill]
    positions: list[Position]
    trades: list[TradeBook]
    days: list[DayBook]


def stored_books(session: Session) -> StoredBooks:
    """The whole record; read it in one snapshot."""
    fills = FillRepository(session).as_told()
    purposes = {
        ref: (trade_id, purpose)
        for ref, trade_id, purpose in session.execute(select(IntentRow.ref, IntentRow.trade_id, IntentRow.purpose))
    }
    sides: dict[tuple[str, Purpose], list[Fill]] = {}
    for fill in fills:
        sides.setdefault(purposes[fill.ref], []).append(fill)
    trades = [
        TradeBook(
            trade, tuple(sides.get((trade.id, Purpose.ENTRY), ())), tuple(sides.get((trade.id, Purpose.EXIT), ()))
        )
        for trade in TradeRepository(session).every()
    ]
    days = [
        DayBook(day.account, day.day, day.gross_usd, day.commissions_usd, day.net_usd, day.trades)
        for day in PnlRepository(session).every_day()
    ]
    return StoredBooks(fills, PositionRepository(session).of_account(flat=True), trades, days)
