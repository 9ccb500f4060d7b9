"""Backtesters of other people that show a strategy one bar after the other, for `backtest_peers.py`."""

from __future__ import annotations

import tempfile
import time
from collections import deque
from typing import Any

Bars = dict[str, Any]
Answer = tuple[float, int]


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


def frame_of(bars: Bars, names: tuple[str, ...]) -> Any:
    import pandas as pd

    index = pd.to_datetime(bars["start_s"], unit="s")
    return pd.DataFrame({name: bars[name.lower()] for name in names}, index=index)


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
    frame = frame_of(bars, ("Open", "High", "Low", "Close", "Volume"))
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(Cross)
    cerebro.broker.setcash(1e6)
    cerebro.broker.set_coc(True)
    began = time.perf_counter()
    (ran,) = cerebro.run()
    return time.perf_counter() - began, ran.trips


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


def vnpy(bars: Bars, fast: int, slow: int) -> Answer:
    from datetime import UTC, datetime

    from vnpy.trader.constant import Direction, Exchange, Interval
    from vnpy.trader.object import BarData
    from vnpy_ctastrategy import CtaTemplate
    from vnpy_ctastrategy.backtesting import BacktestingEngine

    class Cross(CtaTemplate):  # type: ignore[misc]
        def on_init(self) -> None:
            self.seen = OnBar(fast, slow)

        def on_bar(self, bar: Any) -> None:
            held = self.seen.held
            self.seen.on_bar(bar.close_price)
            if self.seen.held and not held:
                self.buy(bar.close_price * 1.1, 1)
            elif held and not self.seen.held:
                self.sell(bar.close_price * 0.9, 1)

    engine = BacktestingEngine()
    engine.output = lambda _text: None
    first = datetime.fromtimestamp(int(bars["start_s"][0]), UTC)
    engine.set_parameters("SYN.SMART", Interval.MINUTE, first, 0, 0, 1, 0.01, 1_000_000)
    engine.add_strategy(Cross, {})
    named = zip(*(bars[name].tolist() for name in ("start_s", "open", "high", "low", "close")), strict=True)
    engine.history_data = [
        BarData("walk", "SYN", Exchange.SMART, datetime.fromtimestamp(at, UTC), None, 0, 0, 0, *prices)
        for at, *prices in named
    ]
    began = time.perf_counter()
    engine.run_backtesting()
    took = time.perf_counter() - began
    return took, sum(trade.direction == Direction.SHORT for trade in engine.trades.values())


def zipline(bars: Bars, fast: int, slow: int) -> Answer:
    """Its bars are minutes or days: these are told to it as the minutes of a calendar that never closes."""
    import pandas as pd
    from zipline import run_algorithm
    from zipline.api import order, symbol
    from zipline.data.bundles import ingest, register
    from zipline.utils.calendar_utils import get_calendar

    count = len(bars["close"])
    calendar = get_calendar("24/7")
    minutes = calendar.minutes[7 * 1440 : 7 * 1440 + count]
    names = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame({name: bars[name] for name in names}, index=minutes)
    days = frame.groupby(frame.index.normalize().tz_localize(None)).agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )

    def fill(_environ: Any, assets: Any, minute: Any, daily: Any, adjustments: Any, *_rest: Any) -> None:
        assets.write(
            pd.DataFrame(
                {
                    "symbol": ["SYN"],
                    "asset_name": ["SYN"],
                    "start_date": days.index[:1],
                    "end_date": days.index[-1:],
                    "auto_close_date": days.index[-1:] + pd.Timedelta(days=1),
                    "exchange": ["WALK"],
                }
            ),
            exchanges=pd.DataFrame({"exchange": ["WALK"], "canonical_name": ["WALK"], "country_code": ["US"]}),
        )
        minute.write([(0, frame)])
        daily.write([(0, days)])
        adjustments.write()

    environ = {"ZIPLINE_ROOT": tempfile.mkdtemp()}
    register(
        "walk",
        fill,
        calendar_name="24/7",
        start_session=days.index[0],
        end_session=days.index[-1],
        minutes_per_day=1440,
    )
    ingest("walk", environ=environ, show_progress=False)

    def begin(context: Any) -> None:
        context.share, context.seen, context.trips, context.bars = symbol("SYN"), OnBar(fast, slow), 0, 0

    def on_bar(context: Any, data: Any) -> None:
        held = context.seen.held
        context.bars += 1
        if context.bars > count:  # the rest of the last day
            return
        context.seen.on_bar(data.current(context.share, "close"))
        if context.seen.held != held:
            order(context.share, 1 if context.seen.held else -1)
            context.trips += held

    trips: list[int] = []
    began = time.perf_counter()
    run_algorithm(
        start=days.index[0],
        end=days.index[-1],
        initialize=begin,
        handle_data=on_bar,
        analyze=lambda context, _results: trips.append(context.trips),
        capital_base=1e6,
        data_frequency="minute",
        bundle="walk",
        trading_calendar=calendar,
        benchmark_returns=pd.Series(0.0, index=days.index),
        environ=environ,
    )
    return time.perf_counter() - began, trips[0]
