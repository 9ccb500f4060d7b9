"""What the record says of one account's day: realised, commissions, refused orders. For the breaker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

from htbot.domain.trades import less, recorded, sum_of
from htbot.persistence.carried import carried_into, midnight_of
from htbot.persistence.states import LIVE_TRADE_STATES

# Trades of the session, and older ones that are open or were closed on its day; one that was never filled has no credit
# and counts nothing. A sum with an unknown part is unknown.
_DAY = text(
    """
WITH own AS (
    SELECT state, gross_pnl_usd, commissions_usd
    FROM trades
    WHERE account = :account AND credit IS NOT NULL
      AND (session = :day OR (closed_at >= :midnight AND closed_at < :next_midnight)
           OR (session < :day AND state = ANY(:live_trades)))
)
SELECT CASE WHEN bool_or(state = 'closed' AND gross_pnl_usd IS NULL) THEN NULL
            ELSE coalesce(sum(gross_pnl_usd), 0) END AS realized_usd,
       CASE WHEN bool_or(commissions_usd IS NULL) THEN NULL
            ELSE coalesce(sum(commissions_usd), 0) END AS commissions_usd,
       ARRAY(SELECT changed_at FROM orders
             WHERE account = :account AND state = 'REJECTED' AND changed_at > :since ORDER BY changed_at) AS rejected_at
FROM own
"""
)


@dataclass(frozen=True, slots=True)
class DayBook:
    """Dollars, None = unknown: gross of what was closed, the day's commissions, market times of refused orders.

    `carried_usd` is what the trades from before the day were worth at the last marks before it; None without such,
    and unknown where it `holds_over` any. What they had cost by then was paid on other days.
    """

    realized_usd: Decimal | None = None
    commissions_usd: Decimal | None = None
    rejected_at: tuple[datetime, ...] = ()
    carried_usd: Decimal | None = None
    holds_over: bool = False


def read_day(session: Session, account: str, day: date, since: datetime) -> DayBook:
    """The day of an account; orders refused after `since`."""
    asked = {
        "account": account,
        "day": day,
        "since": since,
        "midnight": midnight_of(day),
        "next_midnight": midnight_of(day + timedelta(days=1)),
        "live_trades": list(LIVE_TRADE_STATES),
    }
    row = session.execute(_DAY, asked).mappings().one()
    held = carried_into(session, day, account)
    return DayBook(
        realized_usd=recorded(row["realized_usd"]),
        commissions_usd=less(row["commissions_usd"], sum_of(one.commissions_usd for one in held)),
        rejected_at=tuple(at.astimezone(UTC) for at in row["rejected_at"]),
        carried_usd=sum_of(one.worth_usd for one in held) if held else None,
        holds_over=bool(held),
    )
