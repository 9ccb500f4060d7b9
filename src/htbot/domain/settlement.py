"""When a trade settles: so many business days later, on days when the exchange is open and the banks are too."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6


def settles_on(traded: date, days: int) -> date:
    """The settlement date of a trade of the day `traded`; equities and options: one day since 28 May 2024 (T+1)."""
    day = traded
    for _ in range(days):
        day += timedelta(days=1)
        while day.weekday() >= _SATURDAY or day in holidays(day.year):
            day += timedelta(days=1)
    return day


@cache
def holidays(year: int) -> frozenset[date]:
    """Days of a year on which nothing settles: the Federal Reserve's holidays, and Good Friday.

    The Reserve's are more than the exchange's: on Columbus Day and Veterans Day stocks trade and no money moves. One
    that falls on a Sunday is kept on Monday, one on a Saturday not at all.
    """
    fixed = [date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    kept = [day + timedelta(days=1) if day.weekday() == _SUNDAY else day for day in fixed]
    floating = [
        _nth(year, 1, _MONDAY, 3),
        _nth(year, 2, _MONDAY, 3),
        _nth(year, 6, _MONDAY, 1) - timedelta(days=7),  # the last Monday of May
        _nth(year, 9, _MONDAY, 1),
        _nth(year, 10, _MONDAY, 2),
        _nth(year, 11, _THURSDAY, 4),
    ]
    return frozenset([*kept, *floating, _easter(year) - timedelta(days=2)])


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    """The first, second, ... such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _easter(year: int) -> date:
    """Easter Sunday, Gregorian, by the algorithm of Meeus, Astronomical Algorithms, chapter 8."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    to_sunday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * to_sunday) // 451
    month, day = divmod(h + to_sunday - 7 * m + 114, 31)
    return date(year, month, day + 1)
