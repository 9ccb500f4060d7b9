"""The charts of a backtest's report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from htbot.backtest import figures
from htbot.backtest.metrics_curve import Drawdown
from htbot.backtest.result import BacktestResult, EquityCurve, ResultTrade
from htbot.backtest.session_axis import date_ticks, place_of
from htbot.backtest.svg import Picture, Point, Scale, nice_step, thinned, ticks

WIDE, NARROW = 960, 470
LEFT, RIGHT = 62, 10
MOST_POINTS = 1200
CLOSE_LOOK = 40
"""Sessions of the close look at the trades, shown when the run has more than twice as many."""
MOST_DRAWN = 600
"""Trades of one chart that are drawn with entry, exit and side; more of them are dots."""
_UP, _DOWN, _DOT, _CROSS = "m0-4l3.5 7h-7z", "m0 4l3.5-7h-7z", "h0", "m-2-2l4 4m-4 0l4-4"


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a picture with its two scales; y grows upwards."""

    picture: Picture
    x: Scale
    y: Scale

    def point(self, x: float, y: float) -> Point:
        """A point of the data in pixels."""
        return self.x.at(x), self.y.at(y)

    def value_grid(self, wanted: float, name: Callable[[float], str]) -> None:
        """Horizontal lines with their values."""
        for value in ticks(self.y.low, self.y.high, wanted):
            y = self.y.at(value)
            self.picture.line((self.x.start, y), (self.x.end, y), "grid")
            self.picture.text((self.x.start - 7, y + 4), name(value), anchor="end")

    def value_marks(self, name: Callable[[float], str]) -> None:
        """Values along the bottom; the last one stays inside."""
        for value in ticks(self.x.low, self.x.high, 6):
            x = self.x.at(value)
            last = x > self.x.end - 16
            self.picture.text((self.x.end if last else x, 270), name(value), anchor="end" if last else "middle")

    def day_grid(self, days: Sequence[date], label_y: float | None) -> None:
        """Vertical lines where days, months or years begin, named at `label_y`."""
        for number, name in date_ticks(days, self.x.end - self.x.start):
            x = self.x.at(number)
            self.picture.line((x, self.y.start), (x, self.y.end), "grid")
            if label_y is not None:
                last = x > self.x.end - 24
                self.picture.text((self.x.end if last else x, label_y), name, anchor="end" if last else "middle")


def equity_chart(result: BacktestResult, deepest: Drawdown | None) -> str:
    """Equity at the end of each session, and how far it is below its peak."""
    curve = result.curve
    if not curve.days:
        return ""
    equity = [float(value) for value in (result.cash, *curve.equity)]
    picture = Picture(WIDE, 400, "Equity at the end of each session, and drawdown below it")
    x = Scale(0, len(curve.days), LEFT, WIDE - RIGHT)
    top = Panel(picture, x, Scale(*_padded(min(equity), max(equity)), 262, 12))
    top.value_grid(5, _dollars)
    top.day_grid(curve.days, None)
    start = top.y.at(equity[0])
    picture.line((x.start, start), (x.end, start), "start")
    points = thinned([top.point(number, value) for number, value in enumerate(equity)], MOST_POINTS)
    picture.path(points, "area", base=262)
    picture.path(points, "curve")

    peaks = _running_peaks(equity)
    falls = [value / peak - 1 if peak > 0 else 0.0 for value, peak in zip(equity, peaks, strict=True)]
    low = min(falls) or -0.01
    below = Panel(picture, x, Scale(low * 1.12, 0, 372, 286))
    below.value_grid(4, lambda value: figures.percent(value, digits=_digits(-low)))
    below.day_grid(curve.days, 392)
    points = thinned([below.point(number, value) for number, value in enumerate(falls)], MOST_POINTS)
    picture.path(points, "drown", base=286)
    picture.path(points, "fall")
    if deepest is not None and deepest.trough is not None:
        _mark_trough(below, curve.days.index(deepest.trough) + 1, -deepest.share)
    return picture.render()


def _mark_trough(panel: Panel, number: int, value: float) -> None:
    at = panel.point(number, value)
    panel.picture.marks([at], _DOT, "trough")
    left = at[0] > (panel.x.start + panel.x.end) / 2
    place = (at[0] - 9 if left else at[0] + 9, at[1] + 3)
    panel.picture.text(place, figures.percent(value), "ink", "end" if left else "start")


def price_chart(result: BacktestResult, sessions: slice) -> str:
    """Closes of the sessions with the trades on them: entry, exit, and the line between, by how it ended."""
    days, prices = result.curve.days[sessions], result.curve.prices[sessions]
    inside = [trade for trade in result.trades if days and days[0] <= figures.local_day(trade.opened_at) <= days[-1]]
    known = [price for price in prices if math.isfinite(price)]
    if not known:
        return ""
    spans = [(trade, *_span(trade, days, prices)) for trade in inside]
    heights = [*known, *(point[1] for _, *ends in spans for point in ends)]
    picture = Picture(WIDE, 330, f"Closes of {result.symbol} with entries and exits")
    y = Scale(*_padded(min(heights), max(heights)), 300, 10)
    panel = Panel(picture, Scale(0, len(days), LEFT, WIDE - RIGHT), y)
    panel.value_grid(6, lambda value: f"{value:,.{_decimals(y)}f}")
    panel.day_grid(days, 321)
    closes = [panel.point(number + 1, price) for number, price in enumerate(prices) if math.isfinite(price)]
    picture.path(thinned(closes, MOST_POINTS), "price")
    if len(closes) == 1:
        picture.marks(closes, _DOT, "price one")
    for won, look in ((False, "loss"), (True, "win")):
        shown = [span for span in spans if (span[0].net_pnl > 0) == won]
        if len(spans) > MOST_DRAWN:
            picture.marks((panel.point(*start) for _, start, _ in shown), _DOT, f"many {look}")
        else:
            _draw_trades(panel, shown, look)
    return picture.render()


def _draw_trades(panel: Panel, spans: Sequence[tuple[ResultTrade, Point, Point]], look: str) -> None:
    placed = [(trade.direction, panel.point(*start), panel.point(*end)) for trade, start, end in spans]
    panel.picture.segments(((start, end) for _, start, end in placed), f"held {look}")
    panel.picture.marks((end for *_, end in placed), _DOT, f"exit {look}")
    panel.picture.marks((start for side, start, _ in placed if side > 0), _UP, f"entry {look}")
    panel.picture.marks((start for side, start, _ in placed if side < 0), _DOWN, f"entry {look}")


def _span(trade: ResultTrade, days: Sequence[date], prices: Sequence[float]) -> tuple[Point, Point]:
    """Entry and exit: at their fills where the instrument itself is traded, else at the close of their session."""
    start, end = place_of(trade.opened_at, days), place_of(trade.closed_at, days)
    leg = trade.legs[0]
    if len(trade.legs) == 1 and leg.expiry is None:
        return (start, float(leg.fill)), (end, float(leg.exit_fill))
    closes = [prices[min(int(place), len(prices) - 1)] for place in (start, end)]
    known = [price if math.isfinite(price) else next(filter(math.isfinite, prices)) for price in closes]
    return (start, known[0]), (end, known[1])


def pnl_chart(amounts: Sequence[Decimal]) -> str:
    """How many trades ended with which net P&L."""
    return _histogram([float(amount) for amount in amounts], "net P&L of a trade", _dollars)


def day_chart(returns: Sequence[float]) -> str:
    """How many sessions returned how much."""
    return _histogram([one * 100 for one in returns], "return of a session, percent", lambda value: f"{value:g}")


def duration_chart(seconds: Sequence[float]) -> str:
    """How many trades lasted how long."""
    longest = max(seconds, default=0.0)
    unit, name = next(
        (unit, name)
        for most, unit, name in ((7_200, 60, "minutes"), (259_200, 3_600, "hours"), (math.inf, 86_400, "days"))
        if longest <= most
    )
    return _histogram([one / unit for one in seconds], f"duration, {name}", lambda value: f"{value:g}")


def excursion_chart(trades: Iterable[ResultTrade]) -> str:
    """The worst against the best open P&L of each trade."""
    shown = list(trades)
    if not shown:
        return ""
    worst = [-min(float(trade.max_loss), 0.0) for trade in shown]
    best = [max(float(trade.max_gain), 0.0) for trade in shown]
    picture = Picture(NARROW, 300, "Lowest against highest open P&L of each trade")
    x = Scale(0, (max(worst) or 1) * 1.05, LEFT, NARROW - RIGHT)
    panel = Panel(picture, x, Scale(0, (max(best) or 1) * 1.05, 252, 10))
    panel.value_grid(5, _dollars)
    for value in ticks(x.low, x.high, 6):
        picture.line((x.at(value), 252), (x.at(value), 10), "grid")
    panel.value_marks(lambda value: _dollars(-value))
    for won, shape, look in ((False, _CROSS, "cross loss"), (True, _DOT, "dot win")):
        ends = zip(shown, worst, best, strict=True)
        picture.marks((panel.point(low, high) for one, low, high in ends if (one.net_pnl > 0) == won), shape, look)
    picture.text(((x.start + x.end) / 2, 292), "lowest open P&L (MAE)", anchor="middle")
    return picture.render()


def _histogram(values: Sequence[float], caption: str, name: Callable[[float], str]) -> str:
    """Columns from a multiple of a round width to the next; those below zero are losses."""
    if not values:
        return ""
    low, high = min(*values, 0.0), max(*values, 0.0)
    width = nice_step((high - low) / 36) if high > low else 1.0
    counts = Counter(math.floor(value / width + 1e-9) for value in values)
    first, last = min(*counts, 0), max(*counts, 0) + 1
    picture = Picture(NARROW, 300, f"How often each {caption}")
    x = Scale(first * width, last * width, LEFT - 16, NARROW - RIGHT)
    panel = Panel(picture, x, Scale(0, max(counts.values()) * 1.05, 252, 10))
    panel.value_grid(panel.y.high / _whole_step(panel.y.high / 5), lambda value: f"{value:,.0f}")
    for number, many in sorted(counts.items()):
        begin, end = number * width, (number + 1) * width
        corner = (x.at(begin) + 0.5, panel.y.at(many))
        size = (max(x.at(end) - x.at(begin) - 1, 1), 252 - panel.y.at(many))
        note = f"{name(begin)} to {name(end)}: {many:,}"
        picture.box(corner, size, "column loss" if number < 0 else "column win", note)
    panel.value_marks(name)
    picture.line((x.start, 252), (x.end, 252), "axis")
    picture.text(((x.start + x.end) / 2, 292), caption, anchor="middle")
    return picture.render()


def _whole_step(rough: float) -> float:
    """A round number of trades."""
    step = nice_step(max(rough, 1.0))
    return 5.0 if step == 2.5 else step


def crowded(result: BacktestResult) -> bool:
    """Whether there are too many trades to draw each with its entry, exit and side."""
    return len(result.trades) > MOST_DRAWN


def close_look(curve: EquityCurve) -> slice | None:
    """The last sessions, where the whole run is too long to tell trades apart."""
    return slice(len(curve.days) - CLOSE_LOOK, None) if len(curve.days) > 2 * CLOSE_LOOK else None


def _running_peaks(values: Sequence[float]) -> list[float]:
    peaks: list[float] = []
    for value in values:
        peaks.append(max(value, peaks[-1]) if peaks else value)
    return peaks


def _padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.06 or abs(high) * 0.01 or 1.0
    return low - room, high + room


def _dollars(value: float) -> str:
    """Short: -$1.5k, $12M."""
    sign = "-" if value < 0 else ""
    size = abs(value)
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if size >= unit:
            by = min(unit, 1e3) if letter == "k" else unit
            return f"{sign}${size / by:,.6g}{letter}"
    return f"{sign}${size:,.6g}"


def _digits(share: float) -> int:
    """Decimals that tell ticks of a percentage apart."""
    return 0 if share >= 0.04 else 1 if share >= 0.004 else 2


def _decimals(scale: Scale) -> int:
    return max(0, min(4, -math.floor(math.log10(nice_step((scale.high - scale.low) / 6)))))
