"""One backtester of other people, or a bare loop, over the bars of `bench_backtest.py`; run by it in an environment of
its own, which has that package and nothing of htbot.

    PYTHON backtest_peers.py PEER BARS.npz FAST SLOW

The rule: long when the mean of the last FAST closes crosses above that of the last SLOW, flat when it crosses below,
one unit, filled at the close that decided (at the next open where a package knows nothing else). Prints one JSON line:
seconds of the run itself, round trips, peak memory.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from backtest_event_peers import Answer, Bars, OnBar, backtrader, frame_of, nautilus_trader, vnpy, zipline

warnings.simplefilter("ignore")


def bare_python(bars: Bars, fast: int, slow: int) -> Answer:
    closes = bars["close"].tolist()
    seen = OnBar(fast, slow)
    on_bar = seen.on_bar
    began = time.perf_counter()
    for close in closes:
        on_bar(close)
    return time.perf_counter() - began, seen.trips


def bare_compiled(bars: Bars, fast: int, slow: int) -> Answer:
    from numba import njit

    @njit
    def loop(closes: Any, fast: int, slow: int) -> int:
        fast_sum = slow_sum = 0.0
        state, held, trips = 0, False, 0
        for at in range(len(closes)):
            fast_sum += closes[at] - (closes[at - fast] if at >= fast else 0.0)
            slow_sum += closes[at] - (closes[at - slow] if at >= slow else 0.0)
            if at < slow - 1:
                continue
            above = 1 if fast_sum / fast > slow_sum / slow else -1
            if state != 0 and above != state:  # noqa: PLR1714 - compiled
                if above > 0:
                    held = True
                elif held:
                    held = False
                    trips += 1
            state = above
        return trips

    loop(bars["close"][:100], fast, slow)
    began = time.perf_counter()
    trips = loop(bars["close"], fast, slow)
    return time.perf_counter() - began, trips


def backtesting(bars: Bars, fast: int, slow: int) -> Answer:
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

    def mean(closes: Any, window: int) -> Any:
        sums = np.cumsum(np.insert(np.asarray(closes, float), 0, 0.0))
        return np.concatenate((np.full(window - 1, np.nan), (sums[window:] - sums[:-window]) / window))

    class Cross(Strategy):
        def init(self) -> None:
            self.quick = self.I(mean, self.data.Close, fast)
            self.slow = self.I(mean, self.data.Close, slow)

        def next(self) -> None:
            if crossover(self.quick, self.slow):
                self.buy(size=1)
            elif crossover(self.slow, self.quick):
                self.position.close()

    frame = frame_of(bars, ("Open", "High", "Low", "Close", "Volume"))
    test = Backtest(frame, Cross, cash=1e6, trade_on_close=True)
    began = time.perf_counter()
    stats = test.run()
    return time.perf_counter() - began, len(stats._trades)  # noqa: SLF001 - where that package keeps them


def vectorbt(bars: Bars, fast: int, slow: int) -> Answer:
    import vectorbt as vbt

    close = frame_of(bars, ("Close",))["Close"]

    def run() -> int:
        quick, long = vbt.MA.run(close, fast), vbt.MA.run(close, slow)
        entries, exits = quick.ma_crossed_above(long), quick.ma_crossed_below(long)
        book = vbt.Portfolio.from_signals(close, entries, exits, size=1, init_cash=1e6, freq="5min")
        return int(book.trades.closed.count())

    run()
    began = time.perf_counter()
    trips = run()
    return time.perf_counter() - began, trips


def vectorbt_rust(bars: Bars, fast: int, slow: int) -> Answer:
    import vectorbt as vbt

    vbt.settings["engine"] = "rust"
    return vectorbt(bars, fast, slow)


def bt(bars: Bars, fast: int, slow: int) -> Answer:
    import bt as package

    close = frame_of(bars, ("Close",)).rename(columns={"Close": "SYN"})
    quick, long = close.rolling(fast).mean(), close.rolling(slow).mean()
    weights = (quick > long).astype(float)
    weights[long.isna()] = 0.0
    changed = weights["SYN"].diff().fillna(0.0) != 0.0
    strategy = package.Strategy("cross", [package.algos.WeighTarget(weights[changed]), package.algos.Rebalance()])
    test = package.Backtest(strategy, close, initial_capital=1e6, progress_bar=False)
    began = time.perf_counter()
    package.run(test, progress_bar=False)
    trades = strategy_trips(weights["SYN"].to_numpy())
    return time.perf_counter() - began, trades


def strategy_trips(weights: Any) -> int:
    """Round trips of a series of ones and zeros."""
    return int((np.diff(weights) < 0).sum())


def pybroker(bars: Bars, fast: int, slow: int) -> Answer:
    import pybroker as package

    package.disable_logging()
    package.disable_progress_bar()
    frame = frame_of(bars, ("Open", "High", "Low", "Close", "Volume")).rename(columns=str.lower)
    frame.index.name = "date"
    frame = frame.reset_index().assign(symbol="SYN")

    def mean(window: int) -> Any:
        return lambda data: np.concatenate(
            (np.full(window - 1, np.nan), np.convolve(data.close, np.full(window, 1 / window), "valid"))
        )

    quick, long = package.indicator("quick", mean(fast)), package.indicator("long", mean(slow))

    def decide(context: Any) -> None:
        if context.bars < slow + 1:
            return
        above = context.indicator("quick") > context.indicator("long")
        if above[-1] and not above[-2] and not context.long_pos():
            context.buy_shares = 1
        elif above[-2] and not above[-1] and context.long_pos():
            context.sell_all_shares()

    test = package.Strategy(frame, frame["date"].iloc[0], frame["date"].iloc[-1], package.StrategyConfig(1_000_000))
    test.add_execution(decide, ["SYN"], indicators=[quick, long])
    test.backtest(end_date=frame["date"].iloc[1000], calc_bootstrap=False)  # what it compiles
    began = time.perf_counter()
    result = test.backtest(calc_bootstrap=False)
    return time.perf_counter() - began, len(result.trades)


PEERS: dict[str, Callable[[Bars, int, int], Answer]] = {
    "bare_python": bare_python,
    "bare_compiled": bare_compiled,
    "vectorbt": vectorbt,
    "vectorbt_rust": vectorbt_rust,
    "backtesting": backtesting,
    "bt": bt,
    "backtrader": backtrader,
    "nautilus_trader": nautilus_trader,
    "vnpy": vnpy,
    "pybroker": pybroker,
    "zipline": zipline,
}


def peak_mb() -> float:
    """Peak memory of this program alone: `ru_maxrss` would count what it was started from."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def main() -> None:
    """Run one and print what it took."""
    name, path, fast, slow = sys.argv[1:5]
    with np.load(path) as stored:
        bars = {key: stored[key] for key in stored.files}
    seconds, trips = PEERS[name](bars, int(fast), int(slow))
    print(json.dumps({"seconds": seconds, "trips": trips, "peak_mb": peak_mb(), "bars": len(bars["close"])}))


if __name__ == "__main__":
    main()
