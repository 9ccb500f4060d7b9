"""Where a symbol stood at the end of the session before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from htbot.persistence.rows.market import BarRow, SessionRow


@dataclass(frozen=True, slots=True)
class LastClose:
    """The price at which a session ended, and the session's day."""

    day: date
    price: float


def last_close(session: Session, world_id: str, symbol: str, before: date) -> LastClose | None:
    """The close of the last regular session before a New York day; None when its bars are not in the record."""
    ended = session.scalar(select(SessionRow).where(SessionRow.day < before).order_by(SessionRow.day.desc()).limit(1))
    if ended is None:
        return None
    query = (
        select(BarRow.close)
        .where(
            BarRow.world_id == world_id,
            BarRow.symbol == symbol,
            BarRow.start >= ended.opens,
            BarRow.start < ended.closes,
        )
        .order_by(BarRow.start.desc(), BarRow.minutes)
        .limit(1)
    )
    price = session.scalar(query)
    return None if price is None else LastClose(ended.day, price)
