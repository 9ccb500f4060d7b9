"""Indicators of momentum: RSI of two kinds, MACD, rate of change, stochastic (dialect of `domain.numeric`)."""

from __future__ import annotations

from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.indicators.averages import Sma, SmaSeededEma
from htbot.indicators.levels import Highest, Lowest
from htbot.indicators.window import RollingSum, Window, at_least

NEUTRAL_RSI = 50.0


class SimpleRsi(Numeric):
    """RSI with plain means of the last `window` gains and losses, not Wilder's (spec 01 section 4).

    100 * gains / (gains + losses). The first value comes with close number `window` + 1. No losses give 100, neither
    gains nor losses 50.
    """

    gains: RollingSum
    losses: RollingSum
    last: float
    value: float

    def __init__(self, window: int) -> None:
        self.gains = RollingSum(window)
        self.losses = RollingSum(window)
        self.last = UNKNOWN
        self.value = UNKNOWN

    def add(self, close: float) -> float:
        """Take a close in; returns the RSI from 0 to 100."""
        if close - close != 0.0:
            raise ValueError(f"SimpleRsi: {close} is not a finite number")
        last = self.last
        self.last = close
        if last != last:  # noqa: PLR0124 - the first close has no change
            return self.value
        change = close - last
        gain = self.gains.add(max(0.0, change))
        loss = self.losses.add(-change if change < 0.0 else 0.0)
        if self.gains.count == self.gains.size:
            moved = gain + loss
            self.value = NEUTRAL_RSI if moved == 0.0 else 100.0 * gain / moved
        return self.value


class WilderRsi(Numeric):
    """RSI with Wilder's means of gains and losses, alpha = 1 / `window` (Wilder 1978).

    100 * gain / (gain + loss); gain and loss are seeded with the simple mean of the first `window` changes, then
    mean = (mean * (window - 1) + change) / window. First value with close number `window` + 1; TA-Lib RSI, except
    that neither gains nor losses give 50, where TA-Lib says 0.
    """

    window: int
    count: int
    gain: float
    loss: float
    last: float
    value: float

    def __init__(self, window: int = 14) -> None:
        self.window = at_least(window, 2)
        self.count = 0
        self.gain = 0.0
        self.loss = 0.0
        self.last = UNKNOWN
        self.value = UNKNOWN

    def add(self, close: float) -> float:
        """Take a close in; returns the RSI from 0 to 100."""
        if close - close != 0.0:
            raise ValueError(f"WilderRsi: {close} is not a finite number")
        last = self.last
        self.last = close
        if last != last:  # noqa: PLR0124 - the first close has no change
            return self.value
        change = close - last
        window = self.window
        gain = self.gain
        loss = self.loss
        if self.count == window:
            gain *= window - 1
            loss *= window - 1
        if change > 0.0:
            gain += change
        else:
            loss -= change
        if self.count < window:
            self.count += 1
        if self.count == window:
            gain /= window
            loss /= window
            moved = gain + loss
            self.value = NEUTRAL_RSI if moved == 0.0 else 100.0 * (gain / moved)
        self.gain = gain
        self.loss = loss
        return self.value


class Macd(Numeric):
    """MACD (Appel): `macd` = EMA(fast) - EMA(slow) of closes, `signal` = EMA(signal) of macd, `hist` = macd - signal.

    Seeded as in TA-Lib MACD: every EMA with the simple mean of its first numbers, the fast one so late that both give
    their first value with close number `slow`. The first value of all three outputs comes with close number
    `slow` + `signal` - 1. The form seeded with the first close, pandas `ewm(adjust=False)` (spec 03 section 1), is two
    `Ema` of closes and an `Ema` of their difference; both forms agree to 1e-9 after some 300 closes.
    """

    fast_mean: SmaSeededEma
    slow_mean: SmaSeededEma
    signal_mean: SmaSeededEma
    slow: int
    late: int
    count: int
    macd: float
    signal: float
    hist: float

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        self.fast_mean = SmaSeededEma(at_least(fast, 2))
        self.slow_mean = SmaSeededEma(at_least(slow, fast + 1))
        self.signal_mean = SmaSeededEma(signal)
        self.slow = slow
        self.late = slow - fast
        self.count = 0
        self.macd = UNKNOWN
        self.signal = UNKNOWN
        self.hist = UNKNOWN

    def add(self, close: float) -> float:
        """Take a close in; returns `macd`."""
        if close - close != 0.0:
            raise ValueError(f"Macd: {close} is not a finite number")
        slow = self.slow_mean.add(close)
        if self.count < self.slow:
            self.count += 1
            if self.count <= self.late:
                return self.macd
        macd = self.fast_mean.add(close) - slow
        if self.count == self.slow:
            signal = self.signal_mean.add(macd)
            if signal == signal:  # noqa: PLR0124 - known
                self.macd = macd
                self.signal = signal
                self.hist = macd - signal
        return self.macd


class Roc(Numeric):
    """Rate of change in percent, 100 * (close / close `window` numbers ago - 1); 0 when that close was 0.

    First value with close number `window` + 1; TA-Lib ROC.
    """

    past: Window
    value: float

    def __init__(self, window: int = 10) -> None:
        self.past = Window(window)
        self.value = UNKNOWN

    def add(self, close: float) -> float:
        """Take a close in; returns the change in percent."""
        if close - close != 0.0:
            raise ValueError(f"Roc: {close} is not a finite number")
        past = self.past.push(close)
        if past == past:  # noqa: PLR0124 - known
            self.value = 0.0 if past == 0.0 else 100.0 * (close / past - 1.0)
        return self.value


class Stochastic(Numeric):
    """Slow stochastic (Lane): `k` = mean of `smooth` raw values, `d` = mean of `signal` values of k.

    raw = 100 * (close - lowest low) / (highest high - lowest low) of the last `window` bars, 0 when there is no range.
    The first value of both comes with bar number `window` + `smooth` + `signal` - 2; TA-Lib STOCH with simple means.
    """

    highest: Highest
    lowest: Lowest
    raw_mean: Sma
    k_mean: Sma
    k: float
    d: float

    def __init__(self, window: int = 14, smooth: int = 3, signal: int = 3) -> None:
        self.highest = Highest(window)
        self.lowest = Lowest(window)
        self.raw_mean = Sma(smooth)
        self.k_mean = Sma(signal)
        self.k = UNKNOWN
        self.d = UNKNOWN

    def add(self, high: float, low: float, close: float) -> float:
        """Take a bar in; returns `k`."""
        check = high - low + close
        if check - check != 0.0:
            raise ValueError(f"Stochastic: high {high}, low {low}, close {close} are not all finite numbers")
        top = self.highest.add(high)
        bottom = self.lowest.add(low)
        if top == top:  # noqa: PLR0124 - known
            k = self.raw_mean.add(0.0 if top == bottom else 100.0 * (close - bottom) / (top - bottom))
            if k == k:  # noqa: PLR0124 - known
                d = self.k_mean.add(k)
                if d == d:  # noqa: PLR0124 - known
                    self.k = k
                    self.d = d
        return self.k
