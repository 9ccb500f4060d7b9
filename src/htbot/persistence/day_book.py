"""What the record says of one account's day: realised, commissions, refused orders. One statement for the breaker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import plain_money
from htbot.persistence.states import LIVE_TRADE_STATES

# Trades of the session, and older ones that are open or were closed on its day; one that was never filled has no credit
# and counts nothing. A sum with an unknown part is unknown. What an older one was worth as the day began, realised
# parts and its last mark, is carried over, and what it had cost by then was paid on other days. Of a mark from before a
# part was sold counts the share of what stayed.
_DAY = text(
    """
WITH own AS (
    SELECT id, state, gross_pnl_usd, commissions_usd, session < :day AS older, credit, legs
    FROM trades
    WHERE account = :account AND credit IS NOT NULL
      AND (session = :day OR (closed_at >= :midnight AND closed_at < :next_midnight)
           OR (session < :day AND state = ANY(:live_trades)))
), done AS (
    SELECT own.id, mark.usd AS marked_usd, coalesce(sum(fill.commission), 0) AS commissions_usd,
           coalesce(sum(
               (CASE fill.side WHEN 'SELL' THEN fill.price ELSE -fill.price END) * fill.quantity * fill.multiplier
               + own.credit * fill.quantity * fill.multiplier
                 / (SELECT sum(abs((leg ->> 'ratio')::integer)) FROM jsonb_array_elements(own.legs) AS leg)
           ) FILTER (WHERE intent.purpose = 'exit'), 0) AS realized_usd,
           sum(CASE intent.purpose WHEN 'exit' THEN -fill.quantity ELSE fill.quantity END) AS kept,
           coalesce(sum(fill.quantity) FILTER (WHERE intent.purpose = 'exit' AND fill.executed_at > mark.as_of), 0)
               AS sold_after_mark
    FROM own
    LEFT JOIN LATERAL (
        SELECT as_of, mid_pnl_usd AS usd FROM pnl_snapshots
        WHERE trade_id = own.id AND as_of < :midnight AND mid_pnl_usd IS NOT NULL
        ORDER BY as_of DESC LIMIT 1) AS mark ON true
    LEFT JOIN intents AS intent ON intent.trade_id = own.id
    LEFT JOIN fills AS fill ON fill.ref = intent.ref AND fill.executed_at < :midnight AND NOT EXISTS (
        SELECT FROM fills AS later
        WHERE later.execution_key = fill.execution_key AND later.account = fill.account
          AND later.con_id = fill.con_id AND later.exec_id > fill.exec_id)
    WHERE own.older
    GROUP BY own.id, mark.usd
), carried AS (
    SELECT commissions_usd,
           realized_usd + round(CASE WHEN sold_after_mark = 0 THEN marked_usd
                                     ELSE marked_usd * kept / (kept + sold_after_mark) END, 6) AS worth_usd
    FROM done
)
SELECT CASE WHEN bool_or(state = 'closed' AND gross_pnl_usd IS NULL) THEN NULL
            ELSE coalesce(sum(gross_pnl_usd), 0) END AS realized_usd,
       CASE WHEN bool_or(commissions_usd IS NULL) THEN NULL
            ELSE coalesce(sum(commissions_usd), 0) - (SELECT coalesce(sum(commissions_usd), 0) FROM carried)
            END AS commissions_usd,
       (SELECT CASE WHEN bool_or(worth_usd IS NULL) THEN NULL ELSE sum(worth_usd) END FROM carried)
           AS carried_usd,
       EXISTS (SELECT FROM carried) AS holds_over,
       ARRAY(SELECT changed_at FROM orders
             WHERE account = :account AND state = 'REJECTED' AND changed_at > :since ORDER BY changed_at) AS rejected_at
FROM own
"""
)


@dataclass(frozen=True, slots=True)
class DayBook:
    """Dollars, None = unknown: gross of what was closed, commissions (positive), market times of refused orders.

    `carried_usd` is what the trades from before the day were worth at the last marks before it; None without such,
    and unknown where it `holds_over` any.
    """

    realized_usd: Decimal | None = None
    commissions_usd: Decimal | None = None
    rejected_at: tuple[datetime, ...] = ()
    carried_usd: Decimal | None = None
    holds_over: bool = False


def read_day(session: Session, account: str, day: date, since: datetime) -> DayBook:
    """The day of an account; orders refused after `since`."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
    asked = {
        "account": account,
        "day": day,
        "since": since,
        "midnight": midnight,
        "next_midnight": midnight + timedelta(days=1),
        "live_trades": list(LIVE_TRADE_STATES),
    }
    row = session.execute(_DAY, asked).mappings().one()
    return DayBook(
        realized_usd=_money(row["realized_usd"]),
        commissions_usd=_money(row["commissions_usd"]),
        rejected_at=tuple(at.astimezone(UTC) for at in row["rejected_at"]),
        carried_usd=_money(row["carried_usd"]),
        holds_over=row["holds_over"],
    )


def _money(value: Decimal | None) -> Decimal | None:
    return None if value is None else plain_money(value)
