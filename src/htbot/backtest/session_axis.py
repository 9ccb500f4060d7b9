"""The time axis of charts: sessions side by side, nights and weekends left out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import date, datetime

from htbot.domain.sessions import NEW_YORK, OPEN_MINUTE, SESSION_MINUTES

_NARROWEST_PX = 54.0
_FIRST = 1.1
"""The first mark has its year, and needs so much more room."""


def place_of(instant: datetime, days: Sequence[date]) -> float:
    """Sessions since the start: 3.5 is the middle of the fourth one. Outside of sessions it is their edge."""
    local = instant.astimezone(NEW_YORK)
    number = bisect_left(days, local.date())
    if number == len(days) or days[number] != local.date():
        return float(number)
    share = (local.hour * 60 + local.minute - OPEN_MINUTE) / SESSION_MINUTES
    return number + min(max(share, 0.0), 1.0)


def date_ticks(days: Sequence[date], width_px: float) -> list[tuple[int, str]]:
    """Where a new day, week, month, quarter or year begins, as many as have room, with their names."""
    least = _NARROWEST_PX / width_px * len(days)
    numbers: list[int] = []
    name: Callable[[date, bool], str] = _day
    for key, name in _STEPS:  # noqa: B007 - the last one tried names the marks
        numbers = [number for number, day in enumerate(days) if number == 0 or key(day) != key(days[number - 1])]
        if len(numbers) < 3 or (numbers[-1] - numbers[1]) / (len(numbers) - 2) >= least:
            break
    kept = _spaced(numbers, least)
    before = [None, *(days[number].year for number in kept)]
    return [(number, name(days[number], days[number].year != year)) for number, year in zip(kept, before, strict=False)]


def _spaced(numbers: Sequence[int], least: float) -> list[int]:
    """Without those that have no room. The first is the rest of a week or month: it yields to the second."""
    kept: list[int] = []
    for number in numbers:
        room = least * _FIRST if len(kept) == 1 else least
        if not kept or number - kept[-1] >= room:
            kept.append(number)
        elif kept == [0]:
            kept = [number]
    return kept


def _day(day: date, new_year: bool) -> str:
    return f"{day.day} {day:%b} {day.year}" if new_year else f"{day.day} {day:%b}"


def _month(day: date, new_year: bool) -> str:
    return f"{day:%b} {day.year}" if new_year else f"{day:%b}"


def _year(day: date, new_year: bool) -> str:  # noqa: ARG001 - one signature for all names
    return str(day.year)


_STEPS: tuple[tuple[Callable[[date], object], Callable[[date, bool], str]], ...] = (
    (date.toordinal, _day),
    (lambda day: day.isocalendar()[:2], _day),
    (lambda day: (day.year, day.month), _month),
    (lambda day: (day.year, (day.month - 1) // 3), _month),
    (lambda day: day.year, _year),
)
