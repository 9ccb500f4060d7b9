"""What a desk is told of the stocks and funds that strategies trade, without the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from htbot.backtest.spread_feed import Money
from htbot.backtest.streams import BarStream, PriceLine, contract_id, told
from htbot.domain.bars import Bar
from htbot.domain.instruments import plain_instrument
from htbot.domain.quotes import Quote
from htbot.domain.sessions import floor_to
from htbot.domain.signals import Leg
from htbot.market.borrowing import shares_to_borrow
from htbot.market.instants import GRID_S
from htbot.market.ports import Market
from htbot.marketdata.sieve import QuoteSieve
from htbot.marketdata.snapshot import Snapshot
from htbot.portfolio.marks import Marks, mark_spread

SeriesKey = tuple[str, int]
"""Symbol and minutes."""


class PlainFeed:
    """Bars and lines of several symbols; time moves by `move` alone, and only forwards."""

    def __init__(self, market: Market, series: Iterable[SeriesKey]) -> None:
        keys = sorted(set(series))
        self._market = market
        self._series = {key: BarStream(market, plain_instrument(key[0]), key[1]) for key in keys}
        self.shares = {symbol: contract_id(market, plain_instrument(symbol)) for symbol, _minutes in keys}
        self._lines = {con_id: PriceLine(market, con_id) for con_id in self.shares.values()}
        self._sieve = QuoteSieve()
        self.now = market.start

    def begin(self, now: datetime, history_from: Mapping[SeriesKey, datetime | None]) -> list[Bar]:
        """Start at an instant; returns the closed bars of the histories.

        Raises:
            ConfigurationError: a series has no bars.
        """
        first = self._market.sessions.all()[0].opens
        found = [stream.begin(history_from[key] or first, now) for key, stream in self._series.items()]
        return [bar for bars in found for bar in bars]

    def move(self, now: datetime) -> list[Bar]:
        """Go to an instant; returns the bars that have closed since the last one, which decisions know from now on.

        Bars end on the grid, and nobody reads an open one.
        """
        self.now = now
        for line in self._lines.values():
            line.move(now)
        if floor_to(now, GRID_S) != now:
            return []
        return [bar for stream in self._series.values() for bar in stream.move(now)]

    def quote(self, con_id: int) -> Quote | None:
        """The quote as a desk has it; one that jumps beyond belief is held back."""
        found, line = self._market.quote(con_id, self.now), self._lines.get(con_id)
        if found is None:
            return None
        quote = told(found, self.now)
        return self._sieve.admit(quote if line is None else replace(quote, last=line.last))

    def marks(self, legs: tuple[Leg, ...]) -> Marks:
        """What these legs cost now."""
        return mark_spread(legs, self._quotes(leg.con_id for leg in legs), self.now)

    def snapshot(self, money: Money, *, enabled: bool) -> Snapshot:
        """Everything that a decision of this grid instant may read."""
        return Snapshot(
            as_of=self.now,
            world_id=self._market.world_id,
            account=money.account,
            symbol="",
            underlying_con_id=0,
            spot=None,
            last_closed=None,
            open_bar=None,
            quotes=self._quotes(sorted(self.shares.values())),
            net_liquidation=money.net_liquidation,
            buying_power=money.buying_power,
            trading_enabled=enabled,
            figures=money.figures,
            shares=self.shares,
            shortable={symbol: float(shares_to_borrow(con_id, self.now)) for symbol, con_id in self.shares.items()},
        )

    def _quotes(self, con_ids: Iterable[int]) -> dict[int, Quote]:
        found = {con_id: self.quote(con_id) for con_id in con_ids}
        return {con_id: quote for con_id, quote in found.items() if quote is not None}
