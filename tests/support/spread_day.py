"""Small worlds for backtests of spreads: a week of five-minute bars in memory, replayed as a data file would be."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from tests.support.breakout_world import limits_of

from htbot.backtest.plain_request import PlainRequest
from htbot.backtest.spread_request import SpreadRequest
from htbot.backtest.terms import Terms
from htbot.domain.recorded import BarColumns, OptionSeries, QuoteColumns, RecordedData
from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.market.replay import ReplayMarket, ReplayWindow
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout

DAY = date(2024, 7, 3)
"""A half day: it ends at 13:00, and a test in half the time."""
STEP = timedelta(minutes=5)
Request = TypeVar("Request", SpreadRequest, PlainRequest)
Bars = dict[datetime, tuple[float, float, float, float]]


def _session(day: date) -> Session:
    closes = time(13) if day == DAY else time(16)
    opens_at, closes_at = (datetime.combine(day, at, tzinfo=NEW_YORK).astimezone(UTC) for at in (time(9, 30), closes))
    return Session(day, opens_at, closes_at, day == DAY)


_DAYS = (date(2024, 6, 3) + timedelta(days=number) for number in range(120))
CALENDAR = SessionTable(_session(day) for day in _DAYS if day.weekday() < 5)


def walk(seed: int = 3, first: date = date(2024, 7, 1), last: date = DAY, price: float = 5500.0) -> Bars:
    """Bars of a random walk with a drift that turns from day to day."""
    random, bars = Random(seed), Bars()
    for session in CALENDAR.all():
        if not first <= session.day <= last:
            continue
        drift, at = random.uniform(-0.00005, 0.0002), session.opens
        while at < session.closes:
            close = price * (1 + random.gauss(drift, 0.0006))
            high, low = (
                max(price, close) * (1 + random.random() / 4000),
                min(price, close) * (1 - random.random() / 4000),
            )
            bars[at] = tuple(round(value, 2) for value in (price, high, low, close))  # type: ignore[assignment]
            price, at = bars[at][3], at + STEP
    return bars


def poisoned(bars: Bars, since: datetime, seed: int = 99) -> Bars:
    """The same up to an instant; from there on noise that no market makes."""
    random = Random(seed)

    def noise(row: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        low, high = sorted(round(row[0] * random.uniform(0.8, 1.25), 2) for _ in range(2))
        return low, high + 1, low - 1, high

    return {at: row if at < since else noise(row) for at, row in bars.items()}


def columns(bars: Bars) -> BarColumns:
    starts = array("q", [int(at.timestamp()) for at in bars])
    parts = [array("d", [row[part] for row in bars.values()]) for part in range(4)]
    return BarColumns(300, starts, *parts, array("d", [60_000.0] * len(bars)), "bars.csv")


def quotes(session: Session, side: Callable[[int], tuple[float, float]]) -> QuoteColumns:
    """One-minute quotes of a session: (bid, ask) by minute."""
    minutes = int((session.closes - session.opens).total_seconds()) // 60
    rows = [side(minute) for minute in range(minutes)]
    starts = array("q", [int(session.opens.timestamp()) + 60 * minute for minute in range(minutes)])
    bids, asks = array("d", [row[0] for row in rows]), array("d", [row[1] for row in rows])
    sizes = array("d", [7.0] * minutes)
    return QuoteColumns(60, starts, bids, bids, sizes, asks, asks, sizes, "quotes.csv")


def world(
    bars: Bars, day: date = DAY, symbol: str = "SPX", options: dict[OptionSeries, QuoteColumns] | None = None
) -> ReplayMarket:
    table = columns(bars)
    data = RecordedData({symbol: table}, {}, options or {}, {}, ("bars.csv",), zlib.crc32(table.close.tobytes()))
    return ReplayMarket(data, CALENDAR, ReplayWindow(symbol, day, max(bars).astimezone(NEW_YORK).date()))


def request(market: ReplayMarket, day: date = DAY, symbol: str = "SPX", **chosen: Any) -> SpreadRequest:
    """Strategy 1 with a trend that is warm after a few bars; what is chosen replaces the request's own."""
    config = BreakoutConfig(symbol=symbol, rsi_window=6, ema_span=9, rsi_ema_bull=50, rsi_ema_bear=50)
    limits = replace(limits_of(symbol), max_risk_per_day_usd=Decimal(100_000))
    return changed(SpreadRequest(SpxBreakout(config), in_step(market, day), limits), **chosen)


def in_step(market: ReplayMarket, day: date = DAY) -> Terms:
    """One day, with orders that arrive at once and account values that are told at once."""
    return Terms(market, first=day, last=day, account="DU1000001", latency_s=0.0)


def changed(made: Request, **chosen: Any) -> Request:
    """A request with other fields, of its own or of its terms."""
    own = {name for name in chosen if name in {one.name for one in fields(made)}}
    of_terms = {name: value for name, value in chosen.items() if name not in own}
    terms = replace(made.terms, **of_terms)
    return replace(made, **{"terms": terms, **{name: chosen[name] for name in own}})
