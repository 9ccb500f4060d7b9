"""Compact ids of options: strikes on one ladder, expiries in weeks.

Classes without an id range of their own (con_ids.py) share this scheme: an id is a mixed-radix number of class, rung of
the ladder, week since 2016, day (Friday, or the Thursday before a holiday) and right. Ranges of stocks, funds and
indices lie apart, so that a row may be appended to any of the three tables without moving an id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from htbot.domain.instruments import Right
from htbot.domain.recorded import OptionSeries

_FIRST_FRIDAY = date(2016, 1, 1)
_WEEKS = 835  # to the end of 2031
_PER_RUNG = _WEEKS * 4
_BANDS = ("0", "0.5"), ("25", "1"), ("200", "2.5"), ("500", "5"), ("1000", "10"), ("2000", "50"), ("6000", "100")
_TOP = Decimal(30_000)
SMALL = 545  # rungs up to 2,000


def _ladder() -> tuple[Decimal, ...]:
    rungs: list[Decimal] = []
    edges = [(Decimal(edge), Decimal(step)) for edge, step in _BANDS]
    for (low, step), (high, _) in pairwise([*edges, (_TOP, Decimal(1))]):
        rungs += [low + step * number for number in range(1, int((high - low) / step) + 1)]
    return tuple(rungs)


LADDER = _ladder()
_RUNG = {strike: number for number, strike in enumerate(LADDER)}


@dataclass(frozen=True, slots=True)
class CompactRange:
    """Classes in order, from an id on, each with the same number of rungs."""

    first_id: int
    classes: tuple[str, ...]
    rungs: int

    @property
    def _per_class(self) -> int:
        return self.rungs * _PER_RUNG

    @property
    def end(self) -> int:
        """The first id behind the range."""
        return self.first_id + len(self.classes) * self._per_class

    def option_id(self, number: int, series: OptionSeries) -> int | None:
        """The id of an option of class `number`; None when strike or date is not one that ids can carry."""
        rung = _RUNG.get(series.strike)
        week, day = divmod((series.expiry - _FIRST_FRIDAY).days + 1, 7)  # 1 = Friday, 0 = Thursday
        if rung is None or rung >= self.rungs or day > 1 or not 0 <= week < _WEEKS:
            return None
        rest = (week * 2 + 1 - day) * 2 + (1 if series.right is Right.PUT else 0)
        return self.first_id + number * self._per_class + rung * _PER_RUNG + rest

    def option_series(self, con_id: int) -> OptionSeries | None:
        """The option behind an id; None outside the range."""
        if not self.first_id <= con_id < self.end:
            return None
        number, rest = divmod(con_id - self.first_id, self._per_class)
        rung, rest = divmod(rest, _PER_RUNG)
        week, rest = divmod(rest, 4)
        expiry = _FIRST_FRIDAY + timedelta(days=7 * week - rest // 2)
        return OptionSeries(self.classes[number], expiry, LADDER[rung], Right.PUT if rest % 2 else Right.CALL)
