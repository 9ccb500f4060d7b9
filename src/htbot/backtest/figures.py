"""Numbers as people read them. Unknown is a dash."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from htbot.domain.sessions import NEW_YORK

UNKNOWN = "-"


def money(amount: Decimal | float | None, *, sign: bool = False) -> str:
    """-$1,234.50; with `sign` a gain has its plus."""
    if amount is None:
        return UNKNOWN
    cents = round(Decimal(amount), 2)
    before = "-" if cents < 0 else "+" if sign and cents > 0 else ""
    return f"{before}${abs(cents):,.2f}"


def percent(share: float | None, *, sign: bool = False, digits: int = 2) -> str:
    """A share as percent: 12.34 %."""
    if share is None:
        return UNKNOWN
    value = round(share * 100, digits) + 0.0  # -0.0 becomes 0.0
    return f"{value:+,.{digits}f} %" if sign and value else f"{value:,.{digits}f} %"


def ratio(value: float | None) -> str:
    """Two decimals."""
    return UNKNOWN if value is None else f"{round(value, 2) + 0.0:,.2f}"


def count(number: int | None) -> str:
    """With separators."""
    return UNKNOWN if number is None else f"{number:,}"


def day(value: date | None) -> str:
    """2022-03-07."""
    return UNKNOWN if value is None else value.isoformat()


def local_day(instant: datetime) -> date:
    """The day in New York."""
    return instant.astimezone(NEW_YORK).date()


def moment(instant: datetime) -> str:
    """2022-03-07 10:05, New York."""
    return f"{instant.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


def duration(seconds: float | None) -> str:
    """The two largest units: 35 min, 2 h 05 min, 3 d 4 h."""
    if seconds is None:
        return UNKNOWN
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02} min"
    return f"{hours // 24} d {hours % 24} h"


def price(value: Decimal | None) -> str:
    """At least two decimals, at most four."""
    if value is None:
        return UNKNOWN
    whole, _, decimals = f"{value:,.4f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def wall(seconds: float) -> str:
    """How long something took."""
    return f"{seconds:.2f} s" if seconds < 100 else duration(seconds)
