"""Every indicator of `stream` with its twin of `batch`, and series to compare them on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np

from htbot.domain.bars import TapeBar
from htbot.indicators import batch, stream


@dataclass(frozen=True)
class Market:
    """Bars as columns."""

    session: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    def bars(self) -> list[TapeBar]:
        """The same as bars of a tape."""
        columns = (column.tolist() for column in (self.session, self.high, self.low, self.close, self.volume))
        return [
            TapeBar(row * 60, session, 570, 571, 960, False, close, high, low, close, volume)
            for row, (session, high, low, close, volume) in enumerate(zip(*columns, strict=True))
        ]


def market(kind: str, seed: int, count: int) -> Market:
    """`walk`, `cents` (the same in whole cents), `flat` (stands still at times), `jumps`, `far` (at 1e6)."""
    chance = np.random.default_rng(seed)
    step = chance.normal(0, 0.1, count)
    if kind == "flat":
        step[chance.random(count) < 0.5] = 0.0
        step[count // 3 : count // 3 + 80] = 0.0
    close = 100 + np.cumsum(step)
    if kind == "jumps":
        close = np.abs(close) * np.power(
            10.0, np.cumsum(chance.integers(-1, 2, count) * (chance.random(count) < 0.02)) % 3
        )
    if kind == "far":
        close = 1e6 + step
    if kind == "cents":
        close = np.round(close, 2)
    reach = np.abs(chance.normal(0, 0.05, (2, count))) * (1 if kind != "flat" else step != 0)
    volume = np.floor(chance.exponential(1000, count))
    if kind == "flat":
        volume[count // 4 : count // 4 + 60] = 0.0
    session = 735_000 + np.cumsum(chance.random(count) < 0.03)
    return Market(session, close + reach[0], close - reach[1], close, volume)


@dataclass(frozen=True)
class Case:
    """An indicator with settings: what it is fed, its further outputs, its twin, and its first row with a value."""

    make: Callable[[], Any]
    twin: Callable[..., Any]
    settings: dict[str, Any]
    fed: tuple[str, ...]
    outputs: tuple[str, ...] = ("value",)
    first: int | None = None

    @property
    def name(self) -> str:
        """The class."""
        return type(self.make()).__name__

    def streamed(self, data: Market) -> np.ndarray:
        """Outputs bar by bar, shape (outputs, n); what `add` returns is the first output."""
        indicator = self.make()
        feed = [(bar,) for bar in data.bars()] if self.fed == ("bar",) else self._rows(data)
        rows = []
        for returned in starmap(indicator.add, feed):
            rows.append([getattr(indicator, name) for name in self.outputs])
            assert returned == rows[-1][0] or (math.isnan(returned) and math.isnan(rows[-1][0]))
        return np.array(rows, dtype=float).reshape(-1, len(self.outputs)).T

    def whole(self, data: Market) -> np.ndarray:
        """Outputs of the twin, shape (outputs, n)."""
        fed = self.fed
        if fed == ("bar",):
            fed = ("session", "high", "low", "close") + (("volume",) if self.name == "SessionVwap" else ())
        found = self.twin(*(getattr(data, name) for name in fed), **self.settings)
        return np.array(found, dtype=float).reshape(len(self.outputs), -1)

    def _rows(self, data: Market) -> list[tuple[float, ...]]:
        return list(zip(*(getattr(data, name).tolist() for name in self.fed), strict=True))


def case(kind: type[Any], fed: str, outputs: str = "value", first: int | None = None, **settings: Any) -> Case:
    """A case from its class; the twin has the class's name in small letters."""
    small = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).lstrip("_")
    return Case(
        lambda: kind(**settings), getattr(batch, small), settings, tuple(fed.split()), tuple(outputs.split()), first
    )


CASES = [
    case(stream.Sma, "close", window=1, first=0),
    case(stream.Sma, "close", window=20, first=19),
    case(stream.Ema, "close", span=1, first=0),
    case(stream.Ema, "close", span=12, first=0),
    case(stream.SmaSeededEma, "close", span=12, first=11),
    case(stream.LinearSlope, "close", window=2, first=1),
    case(stream.LinearSlope, "close", window=14, first=13),
    case(stream.SimpleRsi, "close", window=1, first=1),
    case(stream.SimpleRsi, "close", window=20, first=20),
    case(stream.WilderRsi, "close", window=2, first=2),
    case(stream.WilderRsi, "close", window=14, first=14),
    case(stream.Macd, "close", "macd signal hist", first=33),
    case(stream.Macd, "close", "macd signal hist", fast=2, slow=5, signal=1, first=4),
    case(stream.Roc, "close", window=1, first=1),
    case(stream.Roc, "close", window=10, first=10),
    case(stream.Stochastic, "high low close", "k d", window=14, smooth=3, signal=3, first=17),
    case(stream.Stochastic, "high low close", "k d", window=5, smooth=1, signal=2, first=5),
    case(stream.SimpleAtr, "high low close", window=14, first=13),
    case(stream.WilderAtr, "high low close", window=1, first=1),
    case(stream.WilderAtr, "high low close", window=14, first=14),
    case(stream.StandardDeviation, "close", window=20, ddof=1, first=19),
    case(stream.StandardDeviation, "close", window=2, ddof=0, first=1),
    case(stream.Bollinger, "close", "middle upper lower", window=20, width=2.0, first=19),
    case(stream.Bollinger, "close", "middle upper lower", window=7, width=1.5, ddof=0, first=6),
    case(stream.Obv, "close volume", first=0),
    case(stream.VolumeRatio, "volume", window=20),
    case(stream.VolumeRatio, "volume", window=2),
    case(stream.SessionVwap, "bar"),
    case(stream.Highest, "high", window=1, first=0),
    case(stream.Highest, "high", window=20, first=19),
    case(stream.Lowest, "low", window=20, first=19),
    case(stream.PreviousDay, "bar", "high low close"),
]


def fed_with(indicator: Any, *numbers: float) -> list[float]:
    """What `add` returns, number by number."""
    return [indicator.add(number) for number in numbers]


def agree(found: Any, expected: Any, late: int = 0, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Equal values, and NaN in the same rows, from row `late` on."""
    np.testing.assert_allclose(np.array(found, float)[..., late:], np.array(expected, float)[..., late:], rtol, atol)


def pandas_ta() -> Any:
    """The independent oracle: pandas-ta-classic in its own pandas code, never by way of TA-Lib (`talib=False`)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas_ta_classic

    return pandas_ta_classic
