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
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Bars = dict[str, Any]
Answer = tuple[float, int]

warnings.simplefilter("ignore")


class OnBar:
    """What everybody writes first: an object with two running sums."""

    def __init__(self, fast: int, slow: int) -> None:
        self.fast, self.slow = deque(maxlen=fast), deque(maxlen=slow)
        self.fast_sum = self.slow_sum = 0.0
        self.above: bool | None = None
        self.held = False
        self.trips = 0

    def on_bar(self, close: float) -> None:
        fast, slow = self.fast, self.slow
        if len(fast) == fast.maxlen:
            self.fast_sum -= fast[0]
        if len(slow) == slow.maxlen:
            self.slow_sum -= slow[0]
        fast.append(close)
        slow.append(close)
        self.fast_sum += close
        self.slow_sum += close
        if len(slow) < slow.maxlen:
            return
        above = self.fast_sum / len(fast) > self.slow_sum / len(slow)
        if self.above is not None and above != self.above:
            if above:
                self.held = True
            elif self.held:
                self.held = False
                self.trips += 1
        self.above = above


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


def _frame(bars: Bars, names: tuple[str, ...]) -> Any:
    import pandas as pd

    index = pd.to_datetime(bars["start_s"], unit="s")
    return pd.DataFrame({name: bars[name.lower()] for name in names}, index=index)


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

    frame = _frame(bars, ("Open", "High", "Low", "Close", "Volume"))
    test = Backtest(frame, Cross, cash=1e6, trade_on_close=True)
    began = time.perf_counter()
    stats = test.run()
    return time.perf_counter() - began, len(stats._trades)  # noqa: SLF001 - where that package keeps them


def backtrader(bars: Bars, fast: int, slow: int) -> Answer:
    import backtrader as bt

    class Cross(bt.Strategy):
        def __init__(self) -> None:
            self.cross = bt.ind.CrossOver(bt.ind.SMA(period=fast), bt.ind.SMA(period=slow))
            self.trips = 0

        def next(self) -> None:
            if not self.position and self.cross > 0:
                self.buy(size=1)
            elif self.position and self.cross < 0:
                self.close()

        def notify_trade(self, trade: Any) -> None:
            self.trips += trade.isclosed

    cerebro = bt.Cerebro(stdstats=False)
    frame = _frame(bars, ("Open", "High", "Low", "Close", "Volume"))
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(Cross)
    cerebro.broker.setcash(1e6)
    cerebro.broker.set_coc(True)
    began = time.perf_counter()
    (ran,) = cerebro.run()
    return time.perf_counter() - began, ran.trips


def vectorbt(bars: Bars, fast: int, slow: int) -> Answer:
    import vectorbt as vbt

    close = _frame(bars, ("Close",))["Close"]

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

    close = _frame(bars, ("Close",)).rename(columns={"Close": "SYN"})
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


def nautilus_trader(bars: Bars, fast: int, slow: int) -> Answer:
    from decimal import Decimal

    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model import Money, Venue
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.data import Bar, BarType
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.objects import Price, Quantity
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    share = TestInstrumentProvider.equity("SYN", "XNAS")
    kind = BarType.from_str(f"{share.id}-5-MINUTE-LAST-EXTERNAL")

    class Cross(Strategy):
        def on_start(self) -> None:
            self.quick, self.long = SimpleMovingAverage(fast), SimpleMovingAverage(slow)
            self.above: bool | None = None
            self.register_indicator_for_bars(kind, self.quick)
            self.register_indicator_for_bars(kind, self.long)
            self.subscribe_bars(kind)

        def on_bar(self, _bar: Any) -> None:
            if not self.indicators_initialized():
                return
            above = self.quick.value > self.long.value
            if self.above is not None and above != self.above:
                if above:
                    order = self.order_factory.market(share.id, OrderSide.BUY, Quantity.from_int(1))
                    self.submit_order(order)
                else:
                    self.close_all_positions(share.id)
            self.above = above

    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(Venue("XNAS"), OmsType.NETTING, AccountType.MARGIN, [Money(1_000_000, USD)], USD, Decimal(1))
    engine.add_instrument(share)
    rows = zip(*(bars[name].tolist() for name in ("start_s", "open", "high", "low", "close")), strict=True)
    size = Quantity.from_int(1000)
    data = [
        Bar(kind, *(Price(value, 2) for value in prices), size, (at + 300) * 10**9, (at + 300) * 10**9)
        for at, *prices in rows
    ]
    engine.add_data(data)
    engine.add_strategy(Cross())
    began = time.perf_counter()
    engine.run()
    return time.perf_counter() - began, engine.get_result().total_orders // 2


PEERS: dict[str, Callable[[Bars, int, int], Answer]] = {
    "bare_python": bare_python,
    "bare_compiled": bare_compiled,
    "vectorbt": vectorbt,
    "vectorbt_rust": vectorbt_rust,
    "backtesting": backtesting,
    "bt": bt,
    "backtrader": backtrader,
    "nautilus_trader": nautilus_trader,
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
