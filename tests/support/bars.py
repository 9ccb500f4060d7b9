"""Tapes for backtests: random walks over whole sessions, and tapes written bar by bar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from htbot.backtest.tape import BAR_RECORD, Tape

FIRST_DAY = 738_000
OPEN_MINUTE, CLOSE_MINUTE = 570, 960


def walk(sessions: int, seed: int, minutes: int = 5, step: float = 0.001) -> Tape:
    """A random walk in cents from 400 on."""
    per_day = (CLOSE_MINUTE - OPEN_MINUTE) // minutes
    count = sessions * per_day
    draw = np.random.default_rng(seed)
    closes = np.round(400 * np.exp(np.cumsum(draw.normal(0, step, count))), 2)
    opens = np.concatenate(([400.0], closes[:-1]))
    wicks = np.round(np.abs(draw.normal(0, step * 100, (2, count))), 2)
    rows = list(
        zip(
            opens.tolist(),
            (np.maximum(opens, closes) + wicks[0]).tolist(),
            (np.minimum(opens, closes) - wicks[1]).tolist(),
            closes.tolist(),
            strict=True,
        )
    )
    return tape([rows[at : at + per_day] for at in range(0, count, per_day)], minutes)


def tape(
    sessions: Sequence[Sequence[tuple[float, float, float, float]]],
    minutes: int = 5,
    close_minute: int = CLOSE_MINUTE,
    first_minute: int = OPEN_MINUTE,
) -> Tape:
    """Sessions of (open, high, low, close), on successive days, from `first_minute` New York (UTC - 5) on."""
    bars = np.zeros(sum(len(rows) for rows in sessions), BAR_RECORD)
    at = 0
    for day, rows in enumerate(sessions, FIRST_DAY):
        for number, prices in enumerate(rows):
            bar, minute = bars[at], first_minute + number * minutes
            midnight = datetime.fromordinal(day).replace(tzinfo=UTC, hour=5)
            bar["start_s"] = int(midnight.timestamp()) + minute * 60
            bar["session"], bar["minute"], bar["end_minute"] = day, minute, minute + minutes
            bar["close_minute"] = close_minute
            bar["open"], bar["high"], bar["low"], bar["close"] = prices
            bar["volume"] = 1000.0 + number
            bar["ends_session"] = number == len(rows) - 1
            at += 1
    return Tape("TEST", minutes * 60, bars)


def daily(sessions: Sequence[Sequence[tuple[float, float, float, float]]]) -> Tape:
    """One bar for each session."""
    made = tape(sessions, minutes=CLOSE_MINUTE - OPEN_MINUTE)
    return Tape(made.symbol, 86_400, made.bars)
