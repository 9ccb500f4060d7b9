"""What was held as a day began: of each trade its worth then and what had been paid for it. Who judges a day asks here.

What a day has earned is what the trades are worth at its end, less what they were worth as it began, fees included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from sqlalchemy import Date, Text, bindparam, text
from sqlalchemy.orm import Session

from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import less, recorded, sum_of
from htbot.persistence.states import LIVE_TRADE_STATES

# Of a mark from before a part was sold counts the share of what stayed.
_CARRIED = text(
    """
WITH held AS (
    SELECT id, account, credit,
           credit / (SELECT sum(abs((leg ->> 'ratio')::integer)) FROM jsonb_array_elements(legs) AS leg) AS leg_credit
    FROM trades
    WHERE session < :day AND credit IS NOT NULL AND (:account IS NULL OR account = :account)
      AND (state = ANY(:live_trades) OR (state = 'closed' AND closed_at >= :midnight))
), done AS (
    SELECT held.id, held.account, mark.usd AS marked_usd,
           CASE WHEN bool_or(fill.ref IS NOT NULL AND fill.commission IS NULL) THEN NULL
                ELSE coalesce(sum(fill.commission), 0) END AS commissions_usd,
           coalesce(sum(
               (CASE fill.side WHEN 'SELL' THEN fill.price ELSE -fill.price END + held.leg_credit)
               * fill.quantity * fill.multiplier
           ) FILTER (WHERE intent.purpose = 'exit'), 0) AS realized_usd,
           sum(CASE intent.purpose WHEN 'exit' THEN -fill.quantity ELSE fill.quantity END) AS kept,
           coalesce(sum(fill.quantity) FILTER (WHERE intent.purpose = 'exit' AND fill.executed_at > mark.as_of), 0)
               AS sold_after_mark
    FROM held
    LEFT JOIN LATERAL (
        SELECT as_of, mid_pnl_usd AS usd FROM pnl_snapshots
        WHERE trade_id = held.id AND as_of < :midnight AND mid_pnl_usd IS NOT NULL
        ORDER BY as_of DESC LIMIT 1) AS mark ON true
    LEFT JOIN intents AS intent ON intent.trade_id = held.id
    LEFT JOIN fills AS fill ON fill.ref = intent.ref AND fill.executed_at < :midnight AND NOT EXISTS (
        SELECT FROM fills AS later
        WHERE later.execution_key = fill.execution_key AND later.account = fill.account
          AND later.con_id = fill.con_id AND later.exec_id > fill.exec_id)
    GROUP BY held.id, held.account, mark.usd
)
SELECT id, account, commissions_usd,
       realized_usd + round(CASE WHEN sold_after_mark = 0 THEN marked_usd
                                 ELSE marked_usd * kept / (kept + sold_after_mark) END, 6) AS worth_usd
FROM done
"""
).bindparams(bindparam("day", type_=Date()), bindparam("account", type_=Text()))


@dataclass(frozen=True, slots=True)
class Carried:
    """A trade as a day began, in dollars: realised and marked at mid since its entry, and commissions (positive).

    None is unknown: it was never marked, or a commission has not been told.
    """

    trade_id: str
    account: str
    worth_usd: Decimal | None
    commissions_usd: Decimal | None

    @property
    def net_usd(self) -> Decimal | None:
        """Its worth less what it had cost."""
        return less(self.worth_usd, self.commissions_usd)


def midnight_of(day: date) -> datetime:
    """When a day begins in New York."""
    return datetime.combine(day, time(), NEW_YORK)


def carried_into(session: Session, day: date, account: str | None = None) -> list[Carried]:
    """The trades that an account, or every one, held as a day began in New York, at their last marks before it."""
    asked = {"account": account, "day": day, "midnight": midnight_of(day), "live_trades": list(LIVE_TRADE_STATES)}
    return [
        Carried(row["id"], row["account"], recorded(row["worth_usd"]), recorded(row["commissions_usd"]))
        for row in session.execute(_CARRIED, asked).mappings()
    ]


def net_of(held: Iterable[Carried]) -> Decimal | None:
    """What they were worth together, less what they had cost; unknown as soon as one is."""
    return sum_of(one.net_usd for one in held)
