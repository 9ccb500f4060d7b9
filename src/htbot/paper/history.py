"""Historical bars: durations, bar sizes, and charts that are kept up to date (TWS_PROTOCOL sections 3 and 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from htbot.domain.instruments import SecType
from htbot.domain.sessions import NEW_YORK, SessionTable
from htbot.paper.contracts import Tradable
from htbot.paper.errors import invalid, no_history
from htbot.paper.ports import Candle, Market, Show
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.times import day_text, epoch, stamp

_DURATION = re.compile(r"(\d{1,6}) ?([SDWMY])", re.IGNORECASE)
_MINUTES = {
    "1 min": 1, "2 mins": 2, "3 mins": 3, "5 mins": 5, "10 mins": 10, "15 mins": 15, "20 mins": 20, "30 mins": 30,
    "1 hour": 60, "2 hours": 120, "3 hours": 180, "4 hours": 240, "8 hours": 480,
}  # fmt: skip
_PERIODS = {"1 day": "day", "1d": "day", "1 week": "week", "1w": "week", "1 month": "month", "1m": "month"}
_SECONDS = {"1 secs", "1 sec", "5 secs", "10 secs", "15 secs", "30 secs"}
_DAY_PARTS_MINUTES = 30
_LONGEST = {"D": 100_000, "W": 5_000, "M": 1_200, "Y": 100}
_SHOWS = {"TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST", "HISTORICAL_VOLATILITY",
          "OPTION_IMPLIED_VOLATILITY", "SCHEDULE"}  # fmt: skip
_WITHOUT_DATA = {"HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY"}


@dataclass(frozen=True, slots=True)
class BarSize:
    """Length of a bar: whole minutes inside a session, or a calendar period."""

    minutes: int
    period: str = ""

    @staticmethod
    def parse(text: str) -> BarSize:
        """Read IB's `5 mins`, `1 hour`, `1 day`.

        Raises:
            RequestError: 321 for no bar size of IB, 162 for one below a minute, of which there are no data.
        """
        size = text.strip().lower()
        if size in _MINUTES:
            return BarSize(_MINUTES[size])
        if size in _PERIODS:
            return BarSize(_DAY_PARTS_MINUTES, _PERIODS[size])
        if size in _SECONDS:
            raise no_history(f"HMDS query returned no data: bars of {size} are not recorded in this world")
        raise invalid(f"Historical data bar size setting is invalid: '{text[:30]}'")


def check_show(text: str) -> str:
    """The `whatToShow` of a request in capitals.

    Raises:
        RequestError: 321 for a word that IB does not know, 162 for data that this world does not have.
    """
    show = text.upper()
    if show not in _SHOWS:
        raise invalid(f"Historical data query whatToShow is invalid: '{text[:30]}'")
    if show in _WITHOUT_DATA:
        raise no_history(f"HMDS query returned no data: {show}")
    return show


def start_of(duration: str, end: datetime, sessions: SessionTable) -> datetime:
    """The instant at which a range of `duration` that ends at `end` begins. `n D` are n sessions.

    Raises:
        RequestError: 321 for text that is no duration.
    """
    match = _DURATION.fullmatch(duration.strip())
    if match is None or int(match[1]) == 0:
        raise invalid(f"Historical data request duration is invalid: '{duration[:30]}': use 'n S', D, W, M or Y")
    count, unit = int(match[1]), match[2].upper()
    if unit == "S":
        return end - timedelta(seconds=count)
    count = min(count, _LONGEST[unit])
    day = end.astimezone(NEW_YORK).date()
    if unit == "D":
        begun = [session for session in sessions.all() if session.opens < end]
        return begun[-count:][0].opens if begun else end
    months = count * (12 if unit == "Y" else 1)
    first = day - timedelta(days=7 * count) if unit == "W" else _months_before(day, months)
    local = end.astimezone(NEW_YORK)
    return local.replace(year=first.year, month=first.month, day=first.day).astimezone(end.tzinfo)


def _months_before(day: date, months: int) -> date:
    index = max(12, day.year * 12 + day.month - 1 - months)
    first = date(index // 12, index % 12 + 1, 1)
    following = date((index + 1) // 12, (index + 1) % 12 + 1, 1)
    last_day = (following - first).days
    return first.replace(day=min(day.day, last_day))


def fetch(market: Market, con_id: int, size: BarSize, since: datetime, until: datetime) -> list[Candle]:
    """Bars that start in [since, until); calendar periods are made of half hours."""
    bars = market.candles(con_id, size.minutes * 60, since, until, Show.TRADES)
    return _merge(bars, size.period) if size.period else bars


def _merge(bars: list[Candle], period: str) -> list[Candle]:
    merged: dict[date, Candle] = {}
    for bar in bars:
        key = _period_start(bar.start, period)
        known = merged.get(key)
        if known is None:
            merged[key] = bar
        else:
            merged[key] = Candle(
                known.start, bar.seconds, known.open, max(known.high, bar.high), min(known.low, bar.low),
                bar.close, known.volume + bar.volume,
            )  # fmt: skip
    return list(merged.values())


def _period_start(at: datetime, period: str) -> date:
    day = at.astimezone(NEW_YORK).date()
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


@dataclass(slots=True)
class Chart:
    """One reqHistoricalData. `shown` is the last bar that the client has."""

    req_id: int
    tradable: Tradable
    size: BarSize
    show: str
    format_date: int
    shown: Candle | None = None

    def send_history(self, session: Session, bars: list[Candle], since: datetime, until: datetime) -> None:
        """Queue the answer to the request."""
        values = {
            "reqId": self.req_id,
            "start": stamp(since, session.version),
            "end": stamp(until, session.version),
            "bars": [self._values(bar, session.version) for bar in bars],
        }
        session.send(messages.HISTORICAL_DATA, values)
        self.shown = bars[-1]

    def publish(self, session: Session, market: Market, at: datetime) -> None:
        """Queue what changed since: the rest of the last bar, then the bars that began after it."""
        if self.shown is None:
            return
        for bar in fetch(market, self.tradable.legs[0].con_id, self.size, self._anchor(self.shown), at):
            if bar.start >= self.shown.start and bar != self.shown:
                session.send(messages.HISTORICAL_UPDATE, {"reqId": self.req_id, **self._values(bar, session.version)})
                self.shown = bar

    def _anchor(self, bar: Candle) -> datetime:
        if not self.size.period:
            return bar.start
        first = _period_start(bar.start, self.size.period)
        return datetime(first.year, first.month, first.day, tzinfo=NEW_YORK).astimezone(bar.start.tzinfo)

    def _values(self, bar: Candle, version: int) -> dict[str, Any]:
        traded = self.show in {"TRADES", "ADJUSTED_LAST"}
        index = self.tradable.details[0].contract.sec_type is SecType.INDEX
        average = round((bar.high + bar.low + bar.close) / 3, 6)
        return {
            "date": self._date(bar, version),
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": (0 if index else round(bar.volume)) if traded else -1,
            "wap": (0 if index else average) if traded else -1,
            "count": 0 if traded else -1,
        }

    def _date(self, bar: Candle, version: int) -> str:
        if self.size.period:
            return day_text(bar.start.astimezone(NEW_YORK).date())
        return str(epoch(bar.start)) if self.format_date == 2 else stamp(bar.start, version)
