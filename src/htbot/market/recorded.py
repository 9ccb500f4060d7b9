"""Recorded quotes as they stand at an instant, and what they say of forward and smile.

A quote bar that begins at t puts its opening bid and ask in force at t and its closing ones at its end; they stand
until the next bar of the same session. Rows outside regular hours are not used. A side without a price is None; crossed
quotes are served as they were recorded, but tell nothing about the smile.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import isnan, log

from htbot.domain.instruments import Right
from htbot.domain.recorded import BarColumns, QuoteColumns, RecordedData
from htbot.pricing.black import implied_deviation, normal_density
from htbot.pricing.smile import SmilePoint

ExpiryKey = tuple[str, date]

_PAIRS = 8
_FORWARD_REACH = 0.05


@dataclass(frozen=True, slots=True)
class Sides:
    """Bid and ask in force and since when (epoch seconds)."""

    bid: float | None
    ask: float | None
    bid_size: float
    ask_size: float
    since_s: int

    @property
    def mid(self) -> float | None:
        """The middle of an uncrossed two-sided quote; half the ask where nobody bids, None without an ask."""
        if self.ask is None or (self.bid is not None and self.bid > self.ask):
            return None
        return 0.5 * ((self.bid or 0.0) + self.ask)

    @property
    def width(self) -> float:
        """Ask minus bid, a missing bid counted as 0; meaningful where there is a mid."""
        return (self.ask or 0.0) - (self.bid or 0.0)


def sides_at(columns: QuoteColumns, at_s: int, opens_s: int, closes_s: int) -> Sides | None:
    """The quote in force at an instant of a session or after it; None before the first row of that day."""
    index = bisect_right(columns.start_s, min(at_s, closes_s - 1)) - 1
    if index < 0 or columns.start_s[index] < opens_s:
        return None
    start = columns.start_s[index]
    end = min(start + columns.seconds, closes_s)
    closed = at_s >= end
    bid = columns.bid_close[index] if closed else columns.bid_open[index]
    ask = columns.ask_close[index] if closed else columns.ask_open[index]
    return Sides(
        None if isnan(bid) else bid,
        None if isnan(ask) else ask,
        0.0 if isnan(bid) else columns.bid_size[index],
        0.0 if isnan(ask) else columns.ask_size[index],
        end if closed else start,
    )


def last_trade(columns: BarColumns, at_s: int, opens_s: int) -> float | None:
    """Close of the last trade bar of the session that has ended by an instant."""
    index = bisect_right(columns.start_s, at_s - columns.seconds) - 1
    return columns.close[index] if index >= 0 and columns.start_s[index] >= opens_s else None


@dataclass(frozen=True, slots=True)
class Carry:
    """Forward from spot and rate, the discount factor to expiry, and the least increment of the options' prices."""

    forward: float
    discount: float
    tick: float


@dataclass(frozen=True, slots=True)
class ObservedSmile:
    """What the quotes of an expiry say: the parity forward and points of the smile around it."""

    forward: float
    points: tuple[SmilePoint, ...]


class RecordedChains:
    """Recorded option quotes by expiry."""

    def __init__(self, data: RecordedData) -> None:
        self.quotes = data.option_quotes
        self.trades = data.option_trades
        self._strikes: dict[ExpiryKey, list[tuple[float, dict[Right, QuoteColumns]]]] = {}
        found: dict[ExpiryKey, dict[float, dict[Right, QuoteColumns]]] = {}
        for series, columns in data.option_quotes.items():
            by_strike = found.setdefault((series.trading_class, series.expiry), {})
            by_strike.setdefault(float(series.strike), {})[series.right] = columns
        for key, by_strike in found.items():
            self._strikes[key] = sorted(by_strike.items())

    def has(self, expiry_key: ExpiryKey) -> bool:
        """True when quotes of a class's expiry are recorded."""
        return expiry_key in self._strikes

    def observe(self, expiry_key: ExpiryKey, at_s: int, hours: tuple[int, int], carry: Carry) -> ObservedSmile | None:
        """Forward and smile of an expiry at an instant; None where no quote says anything.

        Args:
            expiry_key: class and expiry.
            at_s: the instant.
            hours: opening and close of the session.
            carry: what spot and rate give.
        """
        seen: list[tuple[float, dict[Right, Sides]]] = []
        for strike, columns in self._strikes[expiry_key]:
            sides = {right: sides_at(column, at_s, *hours) for right, column in columns.items()}
            usable = {right: side for right, side in sides.items() if side is not None and side.mid is not None}
            if usable:
                seen.append((strike, usable))
        forward = parity_forward(seen, carry)
        points = tuple(_points(seen, forward, carry))
        return ObservedSmile(forward, points) if points else None


def parity_forward(seen: Iterable[tuple[float, dict[Right, Sides]]], carry: Carry) -> float:
    """F = K + (C - P) / D over the pairs nearest the money, each weighted by 1 / (sum of its widths)^2.

    The carried spot where there is no pair within 5 % of it.
    """
    pairs = []
    for strike, sides in seen:
        call, put = sides.get(Right.CALL), sides.get(Right.PUT)
        if call is None or put is None or call.bid is None or put.bid is None:
            continue
        forward = strike + ((call.mid or 0.0) - (put.mid or 0.0)) / carry.discount
        if abs(forward / carry.forward - 1.0) <= _FORWARD_REACH:
            pairs.append((abs(strike - carry.forward), forward, 1.0 / max(call.width + put.width, carry.tick) ** 2))
    nearest = sorted(pairs)[:_PAIRS]
    weight = sum(pair[2] for pair in nearest)
    return sum(pair[1] * pair[2] for pair in nearest) / weight if weight else carry.forward


def _points(seen: Iterable[tuple[float, dict[Right, Sides]]], forward: float, carry: Carry) -> Iterable[SmilePoint]:
    """The out-of-the-money side of each strike, weighted by (vega / width)^2: the error is then one in prices."""
    for strike, sides in seen:
        right = Right.CALL if strike >= forward else Right.PUT
        side = sides.get(right)
        mid = side.mid if side else None
        if side is None or mid is None or side.bid is None:
            continue
        deviation = implied_deviation(right, mid, forward, strike, carry.discount)
        if deviation is None or deviation <= 0.0:
            continue
        d1 = log(forward / strike) / deviation + 0.5 * deviation
        slope = forward * normal_density(d1) / max(side.width, carry.tick)
        yield SmilePoint(log(strike / forward), deviation, slope * slope)
