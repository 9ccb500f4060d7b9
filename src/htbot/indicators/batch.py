"""The indicators over whole series at once, for research and charts. Strategies use `stream`; tests hold both equal."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from htbot.indicators.trend import NEUTRAL_RSI

Series = NDArray[np.float64]


def simple_rsi(closes: Series, window: int) -> Series:
    """RSI with plain means, shape (n,); the first `window` values are NaN (spec 01 section 4)."""
    rsi = np.full(closes.shape, np.nan)
    if len(closes) <= window:
        return rsi
    changes = np.diff(closes)
    gains = _rolling_mean(np.where(changes > 0, changes, 0.0), window)
    losses = _rolling_mean(np.where(changes < 0, -changes, 0.0), window)
    moved = gains + losses
    rsi[window:] = np.divide(100.0 * gains, moved, out=np.full(moved.shape, NEUTRAL_RSI), where=moved > 0)
    return rsi


def ema(values: Series, span: int) -> Series:
    """Exponential mean seeded with the first number, shape (n,); leading NaN stay NaN."""
    smoothed = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if known.size:
        alpha = 2 / (span + 1)
        first = int(known[0])
        smoothed[first:] = list(accumulate(values[first:].tolist(), lambda mean, x: mean + alpha * (x - mean)))
    return smoothed


def rsi_ema(closes: Series, rsi_window: int, ema_span: int) -> Series:
    """EMA of the simple-mean RSI, shape (n,), NaN before the first RSI."""
    return ema(simple_rsi(closes, rsi_window), ema_span)


def _rolling_mean(values: Series, window: int) -> Series:
    means: Series = np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1)
    return means
