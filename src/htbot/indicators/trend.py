"""Incremental indicators as immutable values: adding a number gives the next state, nothing is changed in place.

A state folded bar by bar is bit for bit the state of a full recompute (RULINGS 20): the RSI sums its window afresh each
time, exactly rounded, and the EMA is recursive from its first value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

NEUTRAL_RSI = 50.0


@dataclass(frozen=True, slots=True)
class SimpleRsi:
    """RSI with plain means of the last `window` gains and losses, not Wilder's (spec 01 section 4).

    The first value comes with close number `window` + 1. No losses give 100, neither gains nor losses 50.
    """

    window: int
    last_close: float | None = None
    changes: tuple[float, ...] = ()

    def add(self, close: float) -> Self:
        """The state after one more close.

        Raises:
            ValueError: for a close that is not a finite number.
        """
        if not math.isfinite(close):
            raise ValueError(f"a close of {close} is not a price")
        if self.last_close is None:
            return type(self)(self.window, close)
        return type(self)(self.window, close, (*self.changes, close - self.last_close)[-self.window :])

    @property
    def value(self) -> float | None:
        """RSI from 0 to 100, None before the window is full."""
        if len(self.changes) < self.window:
            return None
        gains = math.fsum(change for change in self.changes if change > 0)
        losses = -math.fsum(change for change in self.changes if change < 0)
        if gains == losses == 0:
            return NEUTRAL_RSI
        return 100.0 * gains / (gains + losses)


@dataclass(frozen=True, slots=True)
class Ema:
    """Exponential mean of a `span`, alpha = 2 / (span + 1), seeded with its first number."""

    span: int
    value: float | None = None
    count: int = 0

    def add(self, number: float) -> Self:
        """The state after one more number."""
        if self.value is None:
            return type(self)(self.span, number, 1)
        return type(self)(self.span, self.value + 2 / (self.span + 1) * (number - self.value), self.count + 1)


@dataclass(frozen=True, slots=True)
class TrendState:
    """EMA of the simple-mean RSI of closes, with everything that the next close needs: small enough to be stored."""

    rsi: SimpleRsi
    ema: Ema
    bars: int = 0

    @classmethod
    def start(cls, rsi_window: int, ema_span: int) -> Self:
        """The state before the first close."""
        return cls(SimpleRsi(rsi_window), Ema(ema_span))

    def add(self, close: float) -> Self:
        """The state after one more close."""
        rsi = self.rsi.add(close)
        value = rsi.value
        return type(self)(rsi, self.ema if value is None else self.ema.add(value), self.bars + 1)

    def extend(self, closes: Iterable[float]) -> Self:
        """The state after several more closes, oldest first."""
        state = self
        for close in closes:
            state = state.add(close)
        return state

    @property
    def bars_needed(self) -> int:
        """Closes until as many RSI values exist as the EMA spans: 204 for 60 and 144."""
        return self.rsi.window + self.ema.span

    @property
    def warm(self) -> bool:
        """True once the EMA has seen a whole span of RSI values."""
        return self.ema.count >= self.ema.span

    def to_fields(self) -> dict[str, Any]:
        """The state as JSON-ready fields; floats survive JSON unchanged."""
        return {
            "rsi_window": self.rsi.window,
            "ema_span": self.ema.span,
            "bars": self.bars,
            "last_close": self.rsi.last_close,
            "changes": list(self.rsi.changes),
            "rsi_ema": self.ema.value,
            "rsi_values": self.ema.count,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """The state back from its fields.

        Raises:
            KeyError: when a field is missing.
        """
        rsi = SimpleRsi(fields["rsi_window"], fields["last_close"], tuple(fields["changes"]))
        return cls(rsi, Ema(fields["ema_span"], fields["rsi_ema"], fields["rsi_values"]), fields["bars"])
