"""What the record says of one account's day: realised, commissions, refused orders. One statement for the breaker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import plain_money

# Trades of the session and older ones closed on its day; one that was never filled has no credit and counts nothing.
# A sum with an unknown part is unknown.
_DAY = text(
    """
SELECT CASE WHEN bool_or(state = 'closed' AND gross_pnl_usd IS NULL) THEN NULL
            ELSE coalesce(sum(gross_pnl_usd), 0) END AS realized_usd,
       CASE WHEN bool_or(commissions_usd IS NULL) THEN NULL
            ELSE coalesce(sum(commissions_usd), 0) END AS commissions_usd,
       ARRAY(SELECT changed_at FROM orders
             WHERE account = :account AND state = 'REJECTED' AND changed_at > :since ORDER BY changed_at) AS rejected_at
FROM trades
WHERE account = :account AND credit IS NOT NULL
  AND (session = :day OR (closed_at >= :midnight AND closed_at < :next_midnight))
"""
)


@dataclass(frozen=True, slots=True)
class DayBook:
    """Dollars, None = unknown: gross of what was closed, commissions (positive), market times of refused orders."""

    realized_usd: Decimal | None = None
    commissions_usd: Decimal | None = None
    rejected_at: tuple[datetime, ...] = ()


def read_day(session: Session, account: str, day: date, since: datetime) -> DayBook:
    """The day of an account; orders refused after `since`."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
    asked = {
        "account": account,
        "day": day,
        "since": since,
        "midnight": midnight,
        "next_midnight": midnight + timedelta(days=1),
    }
    row = session.execute(_DAY, asked).mappings().one()
    return DayBook(
        realized_usd=_money(row["realized_usd"]),
        commissions_usd=_money(row["commissions_usd"]),
        rejected_at=tuple(at.astimezone(UTC) for at in row["rejected_at"]),
    )


def _money(value: Decimal | None) -> Decimal | None:
    return None if value is None else plain_money(value)
