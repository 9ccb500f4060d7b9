"""Indicators: whole series beside TA-Lib, and one live update beside talib.stream and pandas-ta-classic.

    .venv/bin/python benchmarks/bench_indicators.py

Times are CPU time of the thread, medians over rounds in which the rivals take turns. `--only batch|live`.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import talib

from htbot.indicators import batch, stream

LEAST_BATCH_RATIO = 0.8
MOST_UPDATE_US = 10.0
MOST_GROWTH = 1.5
HISTORIES = (1_000, 1_000_000)
UPDATES = 2_000
Job = Callable[[], Any]
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def market(count: int) -> Columns:
    """High, low, close, volume of a walk in cents."""
    chance = np.random.default_rng(5)
    close = np.round(400 + np.cumsum(chance.normal(0, 0.05, count)), 2)
    reach = np.round(np.abs(chance.normal(0, 0.05, (2, count))), 2)
    return close + reach[0], close - reach[1], close, np.floor(chance.exponential(10_000, count))


def medians(jobs: list[Job], rounds: int) -> list[float]:
    """Microseconds of each job; they take turns, so that what slows the machine slows all."""
    times: list[list[float]] = [[] for _ in jobs]
    for turn in range(rounds + 2):
        for job, found in zip(jobs, times, strict=True):
            began = time.thread_time_ns()
            job()
            if turn >= 2:  # the first rounds load code and memory
                found.append((time.thread_time_ns() - began) / 1e3)
    return [statistics.median(found) for found in times]


# --- whole series ---------------------------------------------------------------------------------------------------


def batch_pairs(data: Columns) -> dict[str, tuple[Job, Job | None]]:
    """Ours and TA-Lib's, where it has the indicator."""
    high, low, close, volume = data
    days = np.arange(len(close)) // 78
    return {
        "sma 20": (lambda: batch.sma(close, 20), lambda: talib.SMA(close, 20)),
        "sma_seeded_ema 20": (lambda: batch.sma_seeded_ema(close, 20), lambda: talib.EMA(close, 20)),
        "wilder_rsi 14": (lambda: batch.wilder_rsi(close), lambda: talib.RSI(close, 14)),
        "macd 12 26 9": (lambda: batch.macd(close), lambda: talib.MACD(close, 12, 26, 9)),
        "roc 10": (lambda: batch.roc(close), lambda: talib.ROC(close, 10)),
        "wilder_atr 14": (lambda: batch.wilder_atr(high, low, close), lambda: talib.ATR(high, low, close, 14)),
        "standard_deviation 20": (
            lambda: batch.standard_deviation(close, 20, ddof=0),
            lambda: talib.STDDEV(close, 20),
        ),
        "bollinger 20 2": (lambda: batch.bollinger(close, ddof=0), lambda: talib.BBANDS(close, 20, 2, 2)),
        "obv": (lambda: batch.obv(close, volume), lambda: talib.OBV(close, volume)),
        "highest 20": (lambda: batch.highest(high, 20), lambda: talib.MAX(high, 20)),
        "lowest 20": (lambda: batch.lowest(low, 20), lambda: talib.MIN(low, 20)),
        "linear_slope 14": (lambda: batch.linear_slope(close, 14), lambda: talib.LINEARREG_SLOPE(close, 14)),
        "stochastic 14 3 3": (
            lambda: batch.stochastic(high, low, close),
            lambda: talib.STOCH(high, low, close, 14, 3, 0, 3, 0),
        ),
        "ema 20 (first number)": (lambda: batch.ema(close, 20), None),
        "simple_rsi 60": (lambda: batch.simple_rsi(close, 60), None),
        "rsi_ema 60 144": (lambda: batch.rsi_ema(close, 60, 144), None),
        "simple_atr 14": (lambda: batch.simple_atr(high, low, close), None),
        "volume_ratio 20": (lambda: batch.volume_ratio(volume), None),
        "session_vwap": (lambda: batch.session_vwap(days, high, low, close, volume), None),
        "previous_day": (lambda: batch.previous_day(days, high, low, close), None),
    }


def difference(name: str, ours: Any, theirs: Any) -> float:
    """Largest difference, relative to the largest value."""
    if name.startswith("bollinger"):
        theirs = (theirs[1], theirs[0], theirs[2])
    found, expected = np.array(ours), np.array(theirs)
    return float(np.nanmax(np.abs(found - expected)) / np.nanmax(np.abs(expected)))


def run_batch(count: int, rounds: int) -> bool:
    """Print the table; True when every ratio is kept."""
    print(
        f"\nwhole series of {count:,} bars, microseconds (ratio = speed relative to TA-Lib, least {LEAST_BATCH_RATIO})"
    )
    print(f"{'':24}{'htbot':>10}{'TA-Lib':>10}{'ratio':>8}{'differ':>10}")
    kept = True
    for name, (ours, theirs) in batch_pairs(market(count)).items():
        if theirs is None:
            print(f"{name:24}{medians([ours], rounds)[0]:10.0f}{'-':>10}")
            continue
        mine, their = medians([ours, theirs], rounds)
        kept = kept and their / mine >= LEAST_BATCH_RATIO
        print(f"{name:24}{mine:10.0f}{their:10.0f}{their / mine:8.2f}{difference(name, ours(), theirs()):10.1e}")
    return kept


# --- one live update ------------------------------------------------------------------------------------------------


def streamed(past: Columns) -> Callable[[float, float, float, float], None]:
    """All indicators of a typical strategy after a history; the returned function takes a bar."""
    sma, ema, rsi, macd = stream.Sma(20), stream.Ema(20), stream.WilderRsi(14), stream.Macd()
    roc, atr, bands = stream.Roc(10), stream.SimpleAtr(14), stream.Bollinger(20, 2.0)
    obv, ratio = stream.Obv(), stream.VolumeRatio(20)

    def update(high: float, low: float, close: float, volume: float) -> None:
        sma.add(close)
        ema.add(close)
        rsi.add(close)
        macd.add(close)
        roc.add(close)
        atr.add(high, low, close)
        bands.add(close)
        obv.add(close, volume)
        ratio.add(volume)

    for bar in zip(*(column.tolist() for column in past), strict=True):
        update(*bar)
    return update


def by_talib(past: Columns) -> Callable[[float, float, float, float], None]:
    """The same by the C handles of talib.stream."""
    high, low, close, volume = past
    mean, ema, rsi = talib.stream.SMA(close, 20), talib.stream.EMA(close, 20), talib.stream.RSI(close, 14)
    macd, roc = talib.stream.MACD(close, 12, 26, 9), talib.stream.ROC(close, 10)
    atr, bands = talib.stream.ATR(high, low, close, 14), talib.stream.BBANDS(close, 20, 2.0, 2.0)
    obv, volumes = talib.stream.OBV(close, volume), talib.stream.SMA(volume, 20)

    def update(high: float, low: float, close: float, volume: float) -> None:
        mean.update(close)
        ema.update(close)
        rsi.update(close)
        macd.update(close)
        roc.update(close)
        atr.update(high, low, close)
        bands.update(close)
        obv.update(close, volume)
        _ = volume / volumes.update(volume)

    return update


def by_pandas(past: Columns) -> Job:
    """The same by pandas-ta-classic, which knows whole series only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        import pandas_ta_classic as ta
    high, low, close, volume = map(pd.Series, past)

    def update() -> None:
        ta.sma(close, 20, talib=False)
        ta.ema(close, 20, talib=False)
        ta.rsi(close, 14, talib=False)
        ta.macd(close, talib=False)
        ta.roc(close, 10, talib=False)
        ta.atr(high, low, close, 14, mamode="sma", talib=False)
        ta.bbands(close, 20, 2, ddof=1, talib=False)
        ta.obv(close, volume, talib=False)
        _ = volume / ta.sma(volume, 20, talib=False)

    return update


def fed(update: Callable[[float, float, float, float], None], bars: list[tuple[float, ...]]) -> Job:
    """A round: all bars, one after the other."""

    def job() -> None:
        for bar in bars:
            update(*bar)

    return job


def slowest(update: Callable[[float, float, float, float], None], bars: list[tuple[float, ...]]) -> float:
    """The 99th percentile of single updates, microseconds of wall time."""
    times = []
    for bar in bars * 5:
        began = time.perf_counter_ns()
        update(*bar)
        times.append((time.perf_counter_ns() - began) / 1e3)
    return statistics.quantiles(times, n=100)[98]


def run_live(rounds: int) -> bool:
    """Print the table; True when an update is short enough, and as short after a long history."""
    print(f"\none update of nine indicators, with validation, microseconds (limit {MOST_UPDATE_US:g})")
    print(f"{'history':>12}{'htbot':>10}{'p99':>10}{'talib.stream':>14}{'ratio':>8}{'pandas-ta':>14}{'ratio':>12}")
    found = []
    for history in HISTORIES:
        data = market(history + UPDATES)
        past: Any = tuple(column[:history].copy() for column in data)
        bars = list(zip(*(column[history:].tolist() for column in data), strict=True))
        ours, theirs, pandas = streamed(past), by_talib(past), by_pandas(past)
        mine, their = (each / UPDATES for each in medians([fed(ours, bars), fed(theirs, bars)], rounds))
        whole = medians([pandas], 3)[0]
        found.append(mine)
        print(
            f"{history:12,}{mine:10.2f}{slowest(ours, bars):10.2f}{their:14.2f}{mine / their:8.1f}{whole:14,.0f}"
            f"{mine / whole:12.1e}"
        )
    growth = found[-1] / found[0]
    print(f"after {HISTORIES[-1]:,} bars {growth:.2f} times what it takes after {HISTORIES[0]:,} (limit {MOST_GROWTH})")
    return max(found) <= MOST_UPDATE_US and growth <= MOST_GROWTH


def main() -> int:
    """Measure and print; 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("batch", "live"))
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--bars", type=int, default=100_000, help="length of the whole series")
    chosen = parser.parse_args()
    kept = True
    if chosen.only != "live":
        kept = run_batch(chosen.bars, chosen.rounds)
    if chosen.only != "batch":
        kept = run_live(chosen.rounds) and kept
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
