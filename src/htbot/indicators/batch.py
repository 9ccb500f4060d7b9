"""The indicators over whole series at once, for research and charts. Strategies use `stream`; tests hold both equal.

Series are float64, oldest first, shape (n,); so are results, NaN in front where `stream` has no value yet. A twin has
the name of its class in small letters and takes the same settings. TA-Lib is called where it has the indicator.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htbot.indicators.momentum import NEUTRAL_RSI

Series = NDArray[np.float64]
Sessions = NDArray[np.int64]

_STILL = 1e-300
"""Wilder means of changes that are less stand for no movement at all: TA-Lib's reach zero at their own pace."""


def sma(values: Series, window: int) -> Series:
    """Simple mean of the last `window` values."""
    return _one("SMA", values, timeperiod=window)


def ema(values: Series, span: int) -> Series:
    """Exponential mean seeded with the first number; leading NaN stay NaN.

    TA-Lib seeds with the mean of the first `span` values: given the first one `span` times, that mean is it.
    """
    first = int(np.argmin(np.isnan(values))) if np.isnan(values[:1]).any() else 0
    if np.isnan(values[first : first + 1]).all():  # nothing there, or nothing known
        return values.copy()
    ahead = span - 1
    padded = np.empty(len(values) + ahead)
    padded[: first + ahead] = values[first]
    padded[first + ahead :] = values[first:]
    smoothed = _one("EMA", padded[first:], timeperiod=span)
    if first == 0:
        return smoothed[ahead:]
    result = np.full(values.shape, np.nan)
    result[first:] = smoothed[ahead:]
    return result


def sma_seeded_ema(values: Series, span: int) -> Series:
    """Exponential mean seeded with the simple mean of the first `span` values."""
    return _one("EMA", values, timeperiod=span)


def linear_slope(values: Series, window: int) -> Series:
    """Slope of the least-squares line through the last `window` values."""
    return _one("LINEARREG_SLOPE", values, timeperiod=window)


def simple_rsi(closes: Series, window: int) -> Series:
    """RSI with plain means; the first `window` values are NaN (spec 01 section 4).

    Gains less losses of a window are the change over the whole of it, so one rolling sum is enough:
    100 * gains / (gains + losses) = 50 + 50 * change / moved. A window that stands still has no change: 50.
    """
    rsi = np.full(closes.shape, np.nan)
    if len(closes) <= window:
        return rsi
    moves = np.abs(np.diff(closes))
    moved = (moves if window == 1 else _one("SUM", moves, timeperiod=window))[window - 1 :]
    late = rsi[window:]
    np.subtract(closes[window:], closes[:-window], out=late)
    with np.errstate(invalid="ignore", divide="ignore"):
        np.divide(late, moved, out=late)
    late[moved <= 0.0] = 0.0
    np.clip(late, -1.0, 1.0, out=late)
    late *= 50.0
    late += NEUTRAL_RSI
    return rsi


def rsi_ema(closes: Series, rsi_window: int, ema_span: int) -> Series:
    """EMA of the simple-mean RSI, NaN before the first RSI."""
    return ema(simple_rsi(closes, rsi_window), ema_span)


def wilder_rsi(closes: Series, window: int = 14) -> Series:
    """RSI with Wilder's means; 50 where TA-Lib says 0 because nothing moves."""
    rsi = _one("RSI", closes, timeperiod=window)
    if len(closes) and np.nanmin(rsi, initial=100.0) == 0.0:  # all losses, or no movement at all
        moved = _one("ATR", closes, closes, closes, timeperiod=window)
        rsi[(rsi == 0.0) & (moved < _STILL)] = NEUTRAL_RSI
    return rsi


def macd(closes: Series, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Series, Series, Series]:
    """MACD, signal and histogram, seeded as in TA-Lib."""
    line, mean, hist = _call("MACD", closes, fastperiod=fast, slowperiod=slow, signalperiod=signal)
    return line, mean, hist


def roc(closes: Series, window: int = 10) -> Series:
    """Rate of change in percent."""
    return _one("ROC", closes, timeperiod=window)


def stochastic(
    highs: Series, lows: Series, closes: Series, window: int = 14, smooth: int = 3, signal: int = 3
) -> tuple[Series, Series]:
    """Slow stochastic: k and d."""
    periods = {"fastk_period": window, "slowk_period": smooth, "slowd_period": signal}
    k, d = _call("STOCH", highs, lows, closes, **periods)
    return k, d


def simple_atr(highs: Series, lows: Series, closes: Series, window: int = 14) -> Series:
    """Simple mean of the last `window` true ranges; the first one is high - low."""
    ranges = _one("TRANGE", highs, lows, closes)
    ranges[:1] = highs[:1] - lows[:1]
    return sma(ranges, window)


def wilder_atr(highs: Series, lows: Series, closes: Series, window: int = 14) -> Series:
    """Wilder's mean of the true range."""
    return _one("ATR", highs, lows, closes, timeperiod=window)


def standard_deviation(values: Series, window: int, ddof: int = 1) -> Series:
    """Standard deviation of the last `window` values.

    TA-Lib updates its variance from value to value and loses digits to what was large before; `stream` does not.
    """
    return _one("STDDEV", values, timeperiod=window, nbdev=_factor(window, ddof))


def bollinger(closes: Series, window: int = 20, width: float = 2.0, ddof: int = 1) -> tuple[Series, Series, Series]:
    """Bollinger bands: middle, upper and lower."""
    reach = width * _factor(window, ddof)
    upper, middle, lower = _call("BBANDS", closes, timeperiod=window, nbdevup=reach, nbdevdn=reach)
    return middle, upper, lower


def obv(closes: Series, volumes: Series) -> Series:
    """On-balance volume, seeded with the first volume."""
    return _one("OBV", closes, volumes)


def volume_ratio(volumes: Series, window: int = 20) -> Series:
    """Volume over the mean of the last `window` volumes; NaN where that is 0."""
    ratio = sma(volumes, window)
    if np.count_nonzero(volumes) < len(volumes):  # what a rolling sum leaves of a window of zeros is not zero
        ratio[highest(np.abs(volumes), window) == 0.0] = np.nan
    np.divide(volumes, ratio, out=ratio)
    return ratio


def session_vwap(sessions: Sessions, highs: Series, lows: Series, closes: Series, volumes: Series) -> Series:
    """Volume-weighted average of typical prices since each session began; NaN until it has had volume."""
    money = (highs + lows + closes) / 3.0 * volumes
    traded = volumes.copy()
    starts = _starts(sessions)
    for begin, end in zip(starts, [*starts[1:], len(closes)], strict=False):
        np.cumsum(money[begin:end], out=money[begin:end])
        np.cumsum(traded[begin:end], out=traded[begin:end])
    result = np.full(closes.shape, np.nan)
    np.divide(money, traded, out=result, where=traded != 0.0)
    return result


def highest(values: Series, window: int) -> Series:
    """Highest of the last `window` values."""
    return values.copy() if window == 1 else _one("MAX", values, timeperiod=window)


def lowest(values: Series, window: int) -> Series:
    """Lowest of the last `window` values."""
    return values.copy() if window == 1 else _one("MIN", values, timeperiod=window)


def previous_day(sessions: Sessions, highs: Series, lows: Series, closes: Series) -> tuple[Series, Series, Series]:
    """High, low and close of the session before, for every bar; NaN in the first session."""
    if not len(closes):
        return closes.copy(), closes.copy(), closes.copy()
    starts = _starts(sessions)
    ends = np.append(starts[1:], len(closes))
    days = (np.maximum.reduceat(highs, starts), np.minimum.reduceat(lows, starts), closes[ends - 1])
    high, low, close = (np.repeat(np.append(np.nan, day[:-1]), ends - starts) for day in days)
    return high, low, close


def _starts(sessions: Sessions) -> NDArray[np.intp]:
    """Where each session begins."""
    return np.flatnonzero(np.append(True, sessions[1:] != sessions[:-1])) if len(sessions) else np.zeros(0, np.intp)


def _factor(window: int, ddof: int) -> float:
    """TA-Lib divides squares by `window`; this is what a divisor of `window` - `ddof` makes of the deviation."""
    return math.sqrt(window / (window - ddof))


def _one(function: str, *series: Series, **settings: Any) -> Series:
    result: Series = _call(function, *series, **settings)
    return result


def _call(function: str, *series: Series, **settings: Any) -> Any:
    """A function of TA-Lib, which is loaded late: it brings pandas along."""
    import talib

    return getattr(talib, function)(*series, **settings)
