"""Real-time bars of five seconds (TWS_PROTOCOL section 4, message 50)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from htbot.domain.sessions import floor_to
from htbot.paper.feeds.charts import Series, fetch
from htbot.paper.feeds.durations import BarSize
from htbot.paper.prices import Prices
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.times import epoch

BAR_S = 5
SIZE = BarSize(BAR_S)
_BAR = timedelta(seconds=BAR_S)


@dataclass(slots=True)
class RealTimeBars:
    """One reqRealTimeBars; `since` is the start of the first bar that the client has not got."""

    req_id: int
    series: Series
    since: datetime

    def publish(self, session: Session, prices: Prices) -> None:
        """Queue the bars that have ended."""
        last = prices.at - _BAR
        self.since = floor_to(prices.awake_since(self.since), BAR_S)
        if last < self.since:
            return
        for bar in fetch(prices.market, self.series, (self.since, prices.at)):
            if self.since <= bar.start <= last:
                values = {
                    "reqId": self.req_id,
                    "time": epoch(bar.start),
                    "open": bar.open,
                    "high": bar.high,
                    "low": bar.low,
                    "close": bar.close,
                    "volume": round(bar.volume, 6),
                    "wap": bar.average,
                    "count": bar.count,
                }
                session.send(messages.REALTIME_BAR, values)
                self.since = bar.start + _BAR
