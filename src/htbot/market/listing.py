"""Which options are listed: expiries and strikes.

`modelled` lists one expiry per session and a full strike grid on any date; `historical` keeps only the weekdays that
the exchange had listed by then (RULINGS 23). Behind the daily ones follow the Fridays of nine weeks, the third Fridays
of a year and the Januaries of two; classes with compact ids have those alone. A Friday that is no session is stood in
for by the session before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from htbot.market.con_ids import CLASS
from htbot.market.ladder import LADDER
from htbot.market.timeline import Timeline

Listing = Literal["modelled", "historical"]

EXPIRIES_AHEAD = 10
WEEKS_AHEAD = 9
MONTHS_AHEAD = 12
_WEEK = timedelta(days=7)
MONTHLY = frozenset({"SPX", "VIX", "NDX", "RUT"})
"""Classes that settle at the open of their third Friday; their other expiries belong to SPXW, VIXW, NDXP, RUTW.

They trade for the last time in the session before, and that day is their lastTradeDate at IB, so that an SPX and an
SPXW of one third Friday are told apart by their dates.
"""
_BETWEEN_MONTHS = frozenset({"VIXW"})
"""Classes without an expiry of their own on a third Friday."""
GRID_REACH = Decimal("0.20")
_LADDER_REACH = 0.30
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = range(5)

WEEKLY_SINCE: dict[str, dict[int, date]] = {
    "SPXW": {
        FRIDAY: date(2005, 11, 4),
        WEDNESDAY: date(2016, 3, 2),
        MONDAY: date(2016, 8, 22),
        TUESDAY: date(2022, 4, 19),
        THURSDAY: date(2022, 5, 12),
    },
    "SPY": {
        FRIDAY: date(2010, 6, 11),
        WEDNESDAY: date(2016, 9, 7),
        MONDAY: date(2018, 2, 26),
        TUESDAY: date(2022, 11, 15),
        THURSDAY: date(2022, 11, 17),
    },
    "QQQ": {
        FRIDAY: date(2010, 6, 11),
        WEDNESDAY: date(2018, 3, 7),
        MONDAY: date(2018, 3, 5),
        TUESDAY: date(2022, 11, 15),
        THURSDAY: date(2022, 11, 17),
    },
}
"""First expiry of each weekday. Cboe: SPXW Fridays from October 2005, Wednesdays listed 2016-02-23 (first expiry on
2 March), Mondays in August 2016, Tuesdays listed 2022-04-18, Thursdays 2022-05-11; SPY Wednesdays listed by the first
week of September 2016; SPY and QQQ Tuesdays and Thursdays in the week of 2022-11-14. Other classes: Fridays."""

_OTHERS = {FRIDAY: date(2010, 6, 11)}


@dataclass(frozen=True, slots=True)
class ExpiryRules:
    """Expiries by session under one listing."""

    sessions: Timeline
    listing: Listing = "modelled"

    def lists(self, trading_class: str, expiry: date) -> bool:
        """True when a class has (or had) options that expire on a day."""
        if trading_class in MONTHLY | _BETWEEN_MONTHS and self._is_monthly(expiry) is not (trading_class in MONTHLY):
            return False
        if self.sessions.is_beyond(expiry):
            return expiry.weekday() == FRIDAY
        if self.sessions.on(expiry) is None or (trading_class not in CLASS and not self._falls_on(FRIDAY, expiry)):
            return False
        if self.listing == "modelled":
            return True
        since = WEEKLY_SINCE.get(trading_class, _OTHERS)
        return any(
            expiry >= since[weekday] - timedelta(days=3) and self._falls_on(weekday, expiry) for weekday in since
        ) or self._is_monthly(expiry)

    def ahead(self, trading_class: str, day: date) -> list[date]:
        """The next expiries that still trade, that of `day` included."""
        following = self.sessions.ahead(day, EXPIRIES_AHEAD + 1 if self.sessions.on(day) else EXPIRIES_AHEAD)
        near = [session.day for session in following]
        later = {*self._fridays(day), *(near if trading_class in CLASS else ())}
        ahead = sorted(expiry for expiry in later if self.lists(trading_class, expiry))
        return [expiry for expiry in ahead if self.last_trade(trading_class, expiry) >= day]

    def last_trade(self, trading_class: str, expiry: date) -> date:
        """The day on which an option trades for the last time."""
        if trading_class not in MONTHLY:
            return expiry
        before = expiry - timedelta(days=1)
        return before if self.sessions.is_beyond(expiry) else self.sessions.last_on(before) or before

    def _fridays(self, day: date) -> Iterator[date]:
        """The Fridays of nine weeks, of a year the third ones, of two more years those of January."""
        friday = day + timedelta(days=(FRIDAY - day.weekday()) % 7)
        for week in range(3 * 53):
            months = (friday.year - day.year) * 12 + friday.month - day.month
            third = 15 <= friday.day <= 21
            if week < WEEKS_AHEAD or (third and (months <= MONTHS_AHEAD or friday.month == 1)):
                yield self._stand_in(friday)
            friday += _WEEK

    def _stand_in(self, friday: date) -> date:
        """A Friday, or the session before one that is none."""
        if self.sessions.is_beyond(friday):
            return friday
        return self.sessions.last_on(friday) or friday

    def _falls_on(self, weekday: int, expiry: date) -> bool:
        """True for that weekday, and for the session that stands in on a holiday: before it, for Mondays after it."""
        if expiry.weekday() == weekday:
            return True
        meant = expiry + timedelta(days=weekday - expiry.weekday())
        if self.sessions.on(meant) is not None:
            return False
        step = 1 if weekday == MONDAY else -1
        while self.sessions.on(meant) is None and abs((meant - expiry).days) < 5:
            meant += timedelta(days=step)
        return meant == expiry

    def _is_monthly(self, expiry: date) -> bool:
        return self._falls_on(FRIDAY, expiry) and 15 <= (expiry + timedelta(days=FRIDAY - expiry.weekday())).day <= 21


def strike_step(trading_class: str, reference: float) -> Decimal:
    """Distance of listed strikes: SPXW 5, ETFs 1, stocks 1 below $100, 2.5 below $500, 5 above."""
    if trading_class in {"SPXW", "SPX"}:
        return Decimal(5)
    if trading_class in {"SPY", "QQQ", "IWM", "GLD"} or reference < 100:
        return max(Decimal(1), CLASS[trading_class].unit)
    return Decimal("2.5") if reference < 500 else Decimal(5)


def strike_grid(trading_class: str, reference: float) -> list[Decimal]:
    """Listed strikes within 20 % of a reference price; of compact classes the rungs of their ladder within 30 %."""
    if trading_class not in CLASS:
        low = bisect_left(LADDER, Decimal((1 - _LADDER_REACH) * reference))
        return list(LADDER[low : bisect_right(LADDER, Decimal((1 + _LADDER_REACH) * reference))])
    step = strike_step(trading_class, reference)
    middle = Decimal(str(round(reference, 2)))
    first = max(int(middle * (1 - GRID_REACH) / step), 1)
    last = int(middle * (1 + GRID_REACH) / step) + 1
    limit = CLASS[trading_class].unit * CLASS[trading_class].slots
    return [step * number for number in range(first, last + 1) if step * number <= limit]
