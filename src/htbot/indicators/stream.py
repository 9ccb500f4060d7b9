"""Incremental indicators: numbers in, the newest value out, in constant time (dialect of `domain.numeric`).

This is the one module that strategies take indicators from. `add` returns the newest value, further outputs are fields;
a value is UNKNOWN (NaN) until enough numbers have come. A number that is not finite raises ValueError and changes
nothing. `batch` holds the twins over whole series, docs/reference/indicators.md all formulas and seeds.
"""

from __future__ import annotations

from htbot.indicators.averages import Ema, LinearSlope, Sma, SmaSeededEma
from htbot.indicators.levels import Highest, Lowest, PreviousDay
from htbot.indicators.momentum import Macd, Roc, SimpleRsi, Stochastic, WilderRsi
from htbot.indicators.volatility import Bollinger, SimpleAtr, StandardDeviation, WilderAtr
from htbot.indicators.volume import Obv, SessionVwap, VolumeRatio

__all__ = [
    "Bollinger",
    "Ema",
    "Highest",
    "LinearSlope",
    "Lowest",
    "Macd",
    "Obv",
    "PreviousDay",
    "Roc",
    "SessionVwap",
    "SimpleAtr",
    "SimpleRsi",
    "Sma",
    "SmaSeededEma",
    "StandardDeviation",
    "Stochastic",
    "VolumeRatio",
    "WilderAtr",
    "WilderRsi",
]
