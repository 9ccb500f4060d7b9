"""Settled cash, and the good-faith violations of a cash account: what was bought beyond it and sold before it came.

Brokers count those of twelve months; after so many the account may buy with settled cash only for 90 days, as after
freeriding by Regulation T, 12 CFR 220.8(c).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from htbot.domain.sessions import NEW_YORK
from htbot.domain.settlement import settles_on
from htbot.risk.book import UnsettledTrade
from htbot.risk.case import Case

COUNTED = timedelta(days=365)
RESTRICTED = timedelta(days=90)


def settled_cash(case: Case) -> Decimal | None:
    """The broker's word; without it, cash less what has been sold and has not settled by today."""
    figures, today = case.proposal.snapshot.figures, case.as_of.astimezone(NEW_YORK).date()
    if figures.settled_cash is not None or figures.total_cash is None:
        return figures.settled_cash
    days = case.limits.settlement_days
    sold = [proceeds for day, proceeds in case.book.sale_proceeds_usd.items() if settles_on(day, days) > today]
    return figures.total_cash - sum(sold, Decimal(0))


def violations(trades: Iterable[UnsettledTrade], settlement_days: int, today: date) -> list[date]:
    """Days of good-faith violations, oldest first.

    What was sold until the day of the purchase has settled `settlement_days` later: a sale before that day is one. What
    is held and could not be sold today without one counts as if it were.
    """
    days = []
    for trade in trades:
        sold_on = today if trade.sold_on is None else trade.sold_on
        if sold_on < settles_on(trade.bought_on, settlement_days):
            days.append(sold_on)
    return sorted(days)


def counted(case: Case) -> tuple[int, date | None]:
    """How many violations of twelve months there are, and the day until which only settled cash may be spent."""
    today = case.as_of.astimezone(NEW_YORK).date()
    days = violations(case.book.unsettled_trades, case.limits.settlement_days, today)
    until = restricted_until(days, case.limits.gfv_limit)
    return sum(today - day < COUNTED for day in days), None if until is None or today >= until else until


def restricted_until(days: Sequence[date], most: int) -> date | None:
    """The day from which other than settled cash may be spent again; None when there were never so many in a year."""
    last = [day for number, day in enumerate(days) if number + 1 >= most and day - days[number + 1 - most] < COUNTED]
    return max(last) + RESTRICTED if last else None
