"""Prices of one instant, asked of the market once and shared by all clients."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from htbot.domain.quotes import Greeks, Quote
from htbot.matching.fills import price_of
from htbot.paper.contracts import Tradable
from htbot.paper.ports import DayStatistics, Market


class Prices:
    """A cache over the market that is emptied whenever the time moves."""

    def __init__(self, market: Market, at: datetime) -> None:
        self._market = market
        self.at = at
        self._quotes: dict[int, Quote | None] = {}
        self._greeks: dict[int, Greeks | None] = {}
        self._statistics: dict[int, DayStatistics] = {}

    def move(self, at: datetime) -> None:
        """Go to another instant."""
        if at != self.at:
            self.at = at
            self._quotes.clear()
            self._greeks.clear()
            self._statistics.clear()

    def quote(self, con_id: int) -> Quote | None:
        """The quote in force."""
        if con_id not in self._quotes:
            self._quotes[con_id] = self._market.quote(con_id, self.at)
        return self._quotes[con_id]

    def quotes(self, con_ids: Iterable[int]) -> dict[int, Quote | None]:
        """Quotes of several contracts."""
        return {con_id: self.quote(con_id) for con_id in con_ids}

    def greeks(self, con_id: int) -> Greeks | None:
        """Model greeks of an option."""
        if con_id not in self._greeks:
            self._greeks[con_id] = self._market.greeks(con_id, self.at)
        return self._greeks[con_id]

    def statistics(self, con_id: int) -> DayStatistics:
        """The running session of a contract."""
        if con_id not in self._statistics:
            self._statistics[con_id] = self._market.statistics(con_id, self.at)
        return self._statistics[con_id]

    def mark(self, con_id: int) -> Decimal | None:
        """The price at which a position is valued: the mid, else the last, else the one side there is."""
        quote = self.quote(con_id)
        if quote is None:
            return None
        if quote.mid is not None and not quote.crossed:
            return price_of(quote.mid)
        for value in (quote.last, quote.bid, quote.ask):
            if value is not None and value >= 0:
                return price_of(value)
        return None

    def combination(self, tradable: Tradable) -> Quote:
        """Bid and ask of a combination from its legs; sides that cannot be made are None (prices may be negative)."""
        bid: float | None = 0.0
        ask: float | None = 0.0
        bid_sizes: list[float] = []
        ask_sizes: list[float] = []
        for leg in tradable.legs:
            quote = self.quote(leg.con_id) or Quote(leg.con_id, self.at)
            low, high = (quote.bid, quote.bid_size), (quote.ask, quote.ask_size)
            if leg.signed_ratio < 0:
                low, high = high, low
            bid = None if bid is None or low[0] is None else round(bid + leg.signed_ratio * low[0], 6)
            ask = None if ask is None or high[0] is None else round(ask + leg.signed_ratio * high[0], 6)
            bid_sizes.append(low[1] // leg.ratio)
            ask_sizes.append(high[1] // leg.ratio)
        return Quote(tradable.wire["conId"], self.at, bid, ask, min(bid_sizes), min(ask_sizes))
