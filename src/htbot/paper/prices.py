"""Prices of one instant, asked of the market once and shared by all clients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.domain.quotes import Greeks, Quote
from htbot.market.ports import DayStatistics, Market, Print, Show
from htbot.matching.fills import price_of
from htbot.paper.contracts import Tradable
from htbot.paper.feeds.entitlement import DELAY

_DAY_S = 86_400
_MINUTE = timedelta(minutes=1)


class Prices:
    """A cache over the market that is emptied whenever the time moves."""

    def __init__(self, market: Market, at: datetime) -> None:
        self.market = market
        self.at = at
        self._late: Prices | None = None
        self._quotes: dict[int, Quote | None] = {}
        self._greeks: dict[int, Greeks | None] = {}
        self._statistics: dict[int, DayStatistics] = {}
        self._greeks_at: dict[tuple[int, float], Greeks | None] = {}
        self._averages: dict[int, float | None] = {}
        self._prints: dict[tuple[int, datetime], Sequence[Print]] = {}
        self._changes: dict[tuple[int, datetime], Sequence[Quote]] = {}

    def move(self, at: datetime) -> None:
        """Go to another instant."""
        if at != self.at:
            self.at = at
            self._quotes.clear()
            self._greeks.clear()
            self._statistics.clear()
            self._greeks_at.clear()
            self._averages.clear()
            self._prints.clear()
            self._changes.clear()

    @property
    def delayed(self) -> Prices:
        """Prices of fifteen minutes ago."""
        late = self.at - DELAY
        if self._late is None:
            self._late = Prices(self.market, late)
        self._late.move(late)
        return self._late

    def quote(self, con_id: int) -> Quote | None:
        """The quote in force."""
        if con_id not in self._quotes:
            self._quotes[con_id] = self.market.quote(con_id, self.at)
        return self._quotes[con_id]

    def quotes(self, con_ids: Iterable[int]) -> dict[int, Quote | None]:
        """Quotes of several contracts."""
        return {con_id: self.quote(con_id) for con_id in con_ids}

    def greeks(self, con_id: int) -> Greeks | None:
        """Model greeks of an option."""
        if con_id not in self._greeks:
            self._greeks[con_id] = self.market.greeks(con_id, self.at)
        return self._greeks[con_id]

    def statistics(self, con_id: int) -> DayStatistics:
        """The running session of a contract."""
        if con_id not in self._statistics:
            self._statistics[con_id] = self.market.statistics(con_id, self.at)
        return self._statistics[con_id]

    def greeks_at(self, con_id: int, price: float | None) -> Greeks | None:
        """Greeks of an option at the volatility that gives `price`; None without a price or where none does."""
        if price is None:
            return None
        key = (con_id, price)
        if key not in self._greeks_at:
            self._greeks_at[key] = self.market.greeks(con_id, self.at, price)
        return self._greeks_at[key]

    def average_price(self, con_id: int) -> float | None:
        """The volume-weighted price of the running session; None before it."""
        if con_id not in self._averages:
            opened = self.market.sessions.at(self.at)
            since = None if opened is None else opened.opens
            bars = self.market.candles(con_id, _DAY_S, since, self.at, Show.TRADES) if since else []
            self._averages[con_id] = bars[-1].average if bars else None
        return self._averages[con_id]

    def prints(self, con_id: int, since: datetime) -> Sequence[Print]:
        """Trades after `since` up to this instant."""
        key = (con_id, since)
        found = self._prints.get(key)
        if found is None:
            found = self._prints[key] = self.market.prints(con_id, since, self.at)
        return found

    def has_tape(self, con_id: int) -> bool:
        """True where each trade of a contract is recorded."""
        return self.market.has_tape(con_id)

    def quote_changes(self, con_id: int, since: datetime) -> Sequence[Quote]:
        """Changes of the quote after `since` up to this instant."""
        key = (con_id, since)
        found = self._changes.get(key)
        if found is None:
            found = self._changes[key] = self.market.quote_changes(con_id, since, self.at)
        return found

    def awake_since(self, since: datetime) -> datetime:
        """The later of `since` and a minute before the session of now: clocks skip nights, and so do streams."""
        session = self.market.sessions.at(self.at)
        begins = self.at if session is None else min(self.at, session.opens)
        return max(since, begins - _MINUTE)

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
            bid = None if bid is None or low[0] is None else round(bid + float(leg.weight) * low[0], 6)
            ask = None if ask is None or high[0] is None else round(ask + float(leg.weight) * high[0], 6)
            bid_sizes.append(low[1] // leg.ratio)
            ask_sizes.append(high[1] // leg.ratio)
        return Quote(tradable.wire["conId"], self.at, bid, ask, min(bid_sizes), min(ask_sizes))
