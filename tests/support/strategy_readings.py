"""Indicators read once more, over whole lists: what tests of strategies compare with. The past decides each value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, pairwise

from htbot.domain.bars import TapeBar

Series = tuple[float | None, ...]


def day_before(bars: Sequence[TapeBar], row: int) -> list[TapeBar]:
    """The bars of the session before that of `row`; none on the first day."""
    days = [list(group) for _, group in groupby(bars[: row + 1], key=lambda bar: bar.session)]
    return days[-2] if len(days) > 1 else []


@lru_cache(maxsize=64)
def wilder_rsi(closes: tuple[float, ...], window: int) -> Series:
    """Wilder's RSI: means of gains and losses seeded with the plain mean of the first `window` changes."""
    changes = [after - before for before, after in pairwise(closes)]
    gain = sum(max(change, 0) for change in changes[:window]) / window
    loss = sum(max(-change, 0) for change in changes[:window]) / window
    values: list[float | None] = [None] * window
    for change in [None, *changes[window:]]:
        if change is not None:
            gain = (gain * (window - 1) + max(change, 0)) / window
            loss = (loss * (window - 1) + max(-change, 0)) / window
        values.append(100 * gain / (gain + loss) if gain + loss > 1e-14 else 50.0)
    return tuple(values[: len(closes)])


def seeded_mean(numbers: Sequence[float], span: int) -> list[float]:
    """Exponential mean from number `span` on, seeded with the plain mean of the first `span`."""
    mean = sum(numbers[:span]) / span
    means = [mean]
    for number in numbers[span:]:
        mean += 2 / (span + 1) * (number - mean)
        means.append(mean)
    return means


@lru_cache(maxsize=64)
def macd_histogram(closes: tuple[float, ...], fast: int, slow: int, signal: int) -> Series:
    """MACD less its signal; the fast mean is begun so late that its first value comes with the slow one's."""
    quick, calm = seeded_mean(closes[slow - fast :], fast), seeded_mean(closes, slow)
    line = [one - other for one, other in zip(quick, calm, strict=True)]
    signals = seeded_mean(line, signal)
    hist = [one - other for one, other in zip(line[signal - 1 :], signals, strict=True)]
    return (*[None] * (slow + signal - 2), *hist)
