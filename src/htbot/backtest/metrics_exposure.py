"""How much of the time, and with how much money, the market was held. Only time within sessions counts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import accumulate

from htbot.backtest.result import EquityCurve, ResultTrade
from htbot.domain.sessions import NEW_YORK, SessionTable

OPENS, CLOSES = time(9, 30), time(16)


@dataclass(frozen=True)
class ExposureMetrics:
    """Both are shares: 0.25 is a quarter of the session time, or of the equity."""

    exposure: float | None
    exposure_value: float | None


def measure_exposure(
    cash: Decimal,
    curve: EquityCurve,
    trades: Sequence[ResultTrade],
    sessions: SessionTable | None,
    open_since: datetime | None = None,
) -> ExposureMetrics:
    """Time in the market, and average value held.

    exposure = session time with a position / session time of the run, positions at once counted once;
    exposure_value = sum over trades of (value at entry / equity at the start of the day), each weighted with its
    session time, / session time of the run. A position still held since `open_since` counts as time, its value is not
    known here. Without a table of sessions each lasts from 09:30 to 16:00 New York.
    """
    if not curve.days:
        return ExposureMetrics(None, None)
    clock = _SessionClock(cash, curve, sessions)
    whole = clock.seconds(clock.ends[-1])
    held = [(trade.opened_at.timestamp(), trade.closed_at.timestamp()) for trade in trades]
    still = [] if open_since is None else [(open_since.timestamp(), clock.ends[-1])]
    inside = sum(clock.seconds(end) - clock.seconds(start) for start, end in _merged([*held, *still]))
    if min((cash, *curve.equity[:-1])) <= 0:
        return ExposureMetrics(inside / whole, None)
    value = sum(
        float(trade.exposure) * (clock.weight(end) - clock.weight(start))
        for trade, (start, end) in zip(trades, held, strict=True)
    )
    return ExposureMetrics(inside / whole, value / whole)


class _SessionClock:
    """Session time gone by at an instant, plain or divided by the equity that the day began with."""

    def __init__(self, cash: Decimal, curve: EquityCurve, sessions: SessionTable | None) -> None:
        hours = [_hours(day, sessions) for day in curve.days]
        self.starts = [start for start, _ in hours]
        self.ends = [end for _, end in hours]
        equity = [float(value) for value in (cash, *curve.equity[:-1])]
        self._rates = [1 / value if value > 0 else 0.0 for value in equity]
        lengths = [end - start for start, end in hours]
        self._seconds = [0.0, *accumulate(lengths)]
        self._weights = [0.0, *accumulate(map(float.__mul__, lengths, self._rates))]

    def seconds(self, at_s: float) -> float:
        place, since = self._place(at_s)
        return self._seconds[place] + since if place >= 0 else 0.0

    def weight(self, at_s: float) -> float:
        place, since = self._place(at_s)
        return self._weights[place] + since * self._rates[place] if place >= 0 else 0.0

    def _place(self, at_s: float) -> tuple[int, float]:
        """The last session that has begun (-1 for none), and how much of it has gone by."""
        place = bisect_right(self.starts, at_s) - 1
        return place, min(at_s, self.ends[place]) - self.starts[place]


def _hours(day: date, sessions: SessionTable | None) -> tuple[float, float]:
    known = None if sessions is None else sessions.on(day)
    if known is not None:
        return known.opens.timestamp(), known.closes.timestamp()
    opens, closes = (datetime.combine(day, clock, NEW_YORK) for clock in (OPENS, CLOSES))
    return opens.timestamp(), closes.timestamp()


def _merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The spans with those that overlap made one."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
