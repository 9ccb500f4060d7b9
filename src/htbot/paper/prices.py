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
        sizes: list[float] = []
        for leg in tradable.legs:
            quote = self.quote(leg.con_id)
            leg_bid, leg_ask = (None, None) if quote is None else (quote.bid, quote.ask)
            low, high = (leg_bid, leg_ask) if leg.signed_ratio > 0 else (leg_ask, leg_bid)
            bid = None if bid is None or low is None else round(bid + leg.signed_ratio * low, 6)
            ask = None if ask is None or high is None else round(ask + leg.signed_ratio * high, 6)
            if quote is not None:
                sizes.append(min(quote.bid_size, quote.ask_size) // leg.ratio)
        size = min(sizes, default=0.0)
        return Quote(tradable.wire["conId"], self.at, bid, ask, size, size)
