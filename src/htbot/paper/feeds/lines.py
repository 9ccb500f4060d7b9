"""Streaming quotes: one line per reqMktData, which sends only what changed since it last sent (TWS_PROTOCOL section 4).

Every trade of a recorded tape goes out as its own last price, of a modelled one the last trade of an instant. A stepped
client, for which an instant is one look at the market, gets of the greeks the model's alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from htbot.domain.instruments import SecType
from htbot.domain.quotes import Greeks, Quote
from htbot.market.last import shown_trades
from htbot.market.ports import DayStatistics, Print
from htbot.paper.contracts import Tradable
from htbot.paper.feeds.entitlement import Serving
from htbot.paper.feeds.generic import GenericTicks
from htbot.paper.prices import Prices
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.tables import Table
from htbot.paper.wire.times import epoch

BID_SIZE, BID, ASK, ASK_SIZE, LAST, LAST_SIZE, HIGH, LOW, VOLUME, CLOSE, OPEN = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14
BID_OPTION, ASK_OPTION, LAST_OPTION, MODEL_OPTION, CUSTOM_OPTION = 10, 11, 12, 13, 53
BID_EXCHANGE, ASK_EXCHANGE, LAST_TIME, HALTED = 32, 33, 45, 49
MODELLED = "MODEL"
_DELAYED: Mapping[int, int] = {
    BID: 66, ASK: 67, LAST: 68, BID_SIZE: 69, ASK_SIZE: 70, LAST_SIZE: 71, HIGH: 72, LOW: 73, VOLUME: 74, CLOSE: 75,
    OPEN: 76, BID_OPTION: 80, ASK_OPTION: 81, LAST_OPTION: 82, MODEL_OPTION: 83, LAST_TIME: 88, HALTED: 90,
}  # fmt: skip
_MISSING = -1.0
_DIGITS = 6
_PRICE_DIGITS = 8
_OPTION_DAY_PERIOD_S = 60
_WITHOUT_SIDES = frozenset({SecType.INDEX})
_WITHOUT_TRADES = frozenset({SecType.FOREX})
_HALTING = frozenset({SecType.STOCK, SecType.OPTION})


def option_values(tick_type: int, greeks: Greeks | None) -> dict[str, Any]:
    """A tickOptionComputation; what is not computed is -1 for volatility and prices, -2 for greeks.

    Vega is told per percentage point of volatility, as IB does.
    """
    if greeks is None:
        unknown = dict.fromkeys(("delta", "gamma", "vega", "theta"), -2)
        prices = dict.fromkeys(("impliedVol", "optPrice", "pvDividend", "undPrice"), -1)
        return {"tickType": tick_type, **unknown, **prices}
    return {
        "tickType": tick_type,
        "impliedVol": round(greeks.implied_volatility, _DIGITS),
        "delta": round(greeks.delta, _DIGITS),
        "optPrice": round(greeks.price, _DIGITS),
        "pvDividend": 0,
        "gamma": round(greeks.gamma, _DIGITS),
        "vega": round(greeks.vega / 100, _DIGITS),
        "theta": round(greeks.theta, _DIGITS),
        "undPrice": greeks.underlying_price,
    }


@dataclass(slots=True)
class MarketLine:
    """A subscription; `sent` maps a tick type to what the client has, `since` is the instant of the last look."""

    req_id: int
    tradable: Tradable
    generic: GenericTicks
    serving: Serving = field(default_factory=Serving)
    since: datetime | None = None
    sent: dict[int, Any] = field(default_factory=dict)
    quoted: tuple[float | None, float, float | None, float] | None = None
    day: DayStatistics | None = None
    day_period: int = -1
    kind: int = 0

    def publish(self, session: Session, prices: Prices) -> None:
        """Queue what changed."""
        if self.serving.delayed:
            prices = prices.delayed
        if self.serving.prices:
            if self.tradable.is_combination:
                self._sides(session, prices.combination(self.tradable))
            else:
                self._contract(session, prices)
        if self.generic:
            self._generic(session, prices)
        self.since = prices.at

    def tell_kind(self, session: Session, prices: Prices) -> None:
        """Queue the type of market data when it is another than the client was told."""
        trading = not self.serving.frozen or prices.market.is_trading(self._con_id, prices.at, outside_rth=True)
        kind = self.serving.kind(trading=trading)
        if kind != self.kind:
            self.kind = kind
            session.send(messages.MARKET_DATA_TYPE, {"reqId": self.req_id, "type": kind})

    @property
    def _con_id(self) -> int:
        return self.tradable.legs[0].con_id

    @property
    def _sec_type(self) -> SecType:
        return self.tradable.details[0].contract.sec_type

    def _contract(self, session: Session, prices: Prices) -> None:
        if self.serving.frozen:
            self.tell_kind(session, prices)
        con_id = self._con_id
        quote = prices.quote(con_id)
        if quote is not None:
            self._sides(session, quote)
            self._origin(session, quote)
            if self._sec_type not in _WITHOUT_TRADES:
                self._trades(session, prices, quote)
        self._day(session, prices, con_id)
        if self._sec_type is SecType.OPTION:
            self._options(session, prices, quote)
        if self._sec_type in _HALTING:
            self._tick(session, messages.TICK_GENERIC, HALTED, int(prices.market.halted(con_id, prices.at)))

    # --- prices -----------------------------------------------------------------------------------------------------

    def _sides(self, session: Session, quote: Quote) -> None:
        quoted = (quote.bid, quote.bid_size, quote.ask, quote.ask_size)
        if quoted == self.quoted:
            return
        self.quoted = quoted
        for price_type, size_type, price, size in (
            (BID, BID_SIZE, quote.bid, quote.bid_size),
            (ASK, ASK_SIZE, quote.ask, quote.ask_size),
        ):
            if price is not None:
                self._side(session, (price_type, size_type), price, size)
            elif self.tradable.is_combination:
                self._withdrawn(session, price_type, size_type)
            elif self._sec_type not in _WITHOUT_SIDES:
                self._side(session, (price_type, size_type), _MISSING, 0.0)

    def _withdrawn(self, session: Session, price_type: int, size_type: int) -> None:
        """A side of a combination is gone: -1 would be a legal price there, so the size says it."""
        if self.sent.pop(price_type, None) is not None:
            self._size(session, size_type, 0.0)

    def _side(self, session: Session, types: tuple[int, int], price: float, size: float) -> None:
        price_type, size_type = types
        if self.sent.get(price_type) != price:
            self.sent[price_type] = price
            self.sent[size_type] = size
            self._send(session, messages.TICK_PRICE, price_type, {"price": price, "size": size, "attribMask": 1})
        else:
            self._size(session, size_type, size)

    def _origin(self, session: Session, quote: Quote) -> None:
        """A modelled quote names its exchanges MODEL; a recorded one after it takes that back."""
        name = MODELLED if quote.modelled else ""
        if self.sent.get(BID_EXCHANGE, "") != name:
            for tick_type in (BID_EXCHANGE, ASK_EXCHANGE):
                self._tick(session, messages.TICK_STRING, tick_type, name)

    def _trades(self, session: Session, prices: Prices, quote: Quote) -> None:
        """Each trade since the line last looked; where no trades are kept, a change of the last price."""
        prints = shown_trades(prices, quote, self.since, self.sent.get(LAST))
        if prints:
            self._tape(session, prices, prints)
        elif quote.last is not None and self.sent.get(LAST) != quote.last:
            self._price(session, LAST, quote.last, 0)
            self._tick(session, messages.TICK_STRING, LAST_TIME, epoch(quote.as_of))

    def _tape(self, session: Session, prices: Prices, prints: Sequence[Print]) -> None:
        volume = prices.statistics(self._con_id).volume - sum(trade.size for trade in prints)
        for trade in prints:
            volume += trade.size
            self.sent[LAST], self.sent[LAST_SIZE] = trade.price, trade.size
            mask = int(trade.past_limit) << 1
            self._send(
                session, messages.TICK_PRICE, LAST, {"price": trade.price, "size": trade.size, "attribMask": mask}
            )
            self._tick(session, messages.TICK_STRING, LAST_TIME, epoch(trade.at))
            self._size(session, VOLUME, volume)
            for tick_type, text in self.generic.trade(prices, self._con_id, trade, volume):
                self._send(session, messages.TICK_STRING, tick_type, {"value": text})

    def _day(self, session: Session, prices: Prices, con_id: int) -> None:
        """The day's figures; those of an option hardly move and are looked at once a minute."""
        if self._sec_type is SecType.OPTION:
            period = int(prices.at.timestamp()) // _OPTION_DAY_PERIOD_S
            if period == self.day_period:
                return
            self.day_period = period
        day = prices.statistics(con_id)
        if day == self.day:
            return
        self.day = day
        for tick_type, value in ((HIGH, day.high), (LOW, day.low), (CLOSE, day.previous_close), (OPEN, day.open)):
            if value is not None:
                self._price(session, tick_type, value, 0)
        if self._sec_type is not SecType.INDEX and self._sec_type not in _WITHOUT_TRADES:
            self._size(session, VOLUME, day.volume)

    def _options(self, session: Session, prices: Prices, quote: Quote | None) -> None:
        self._computed(session, MODEL_OPTION, prices.greeks(self._con_id))
        if session.stepped or quote is None:
            return
        for tick_type, price in ((BID_OPTION, quote.bid), (ASK_OPTION, quote.ask), (LAST_OPTION, quote.last)):
            if tick_type != LAST_OPTION or price is not None:
                self._computed(session, tick_type, prices.greeks_at(self._con_id, price))

    def _computed(self, session: Session, tick_type: int, greeks: Greeks | None) -> None:
        if self.sent.get(tick_type, ...) == greeks or (greeks is None and tick_type == MODEL_OPTION):
            return
        self.sent[tick_type] = greeks
        shown = self._type(tick_type)
        session.send(messages.TICK_OPTION, {"reqId": self.req_id, **option_values(shown, greeks)})

    def _generic(self, session: Session, prices: Prices) -> None:
        for table, tick_type, value in self.generic.values(prices, self.tradable):
            if self.sent.get(tick_type) != value:
                self.sent[tick_type] = value
                name = {messages.TICK_PRICE: "price", messages.TICK_SIZE: "size"}.get(table, "value")
                self._send(session, table, tick_type, {name: value})

    # --- messages ---------------------------------------------------------------------------------------------------

    def _type(self, tick_type: int) -> int:
        return _DELAYED.get(tick_type, tick_type) if self.serving.delayed else tick_type

    def _send(self, session: Session, table: Table, tick_type: int, values: Mapping[str, Any]) -> None:
        session.send(table, {"reqId": self.req_id, "tickType": self._type(tick_type), **values})

    def _price(self, session: Session, tick_type: int, price: float, size: float) -> None:
        if self.sent.get(tick_type) != price:
            self.sent[tick_type] = price
            self._send(session, messages.TICK_PRICE, tick_type, {"price": round(price, _PRICE_DIGITS), "size": size})

    def _size(self, session: Session, tick_type: int, size: float) -> None:
        if self.sent.get(tick_type) != size:
            self.sent[tick_type] = size
            self._send(session, messages.TICK_SIZE, tick_type, {"size": round(size, _PRICE_DIGITS)})

    def _tick(self, session: Session, table: Table, tick_type: int, value: object) -> None:
        if self.sent.get(tick_type) != value:
            self.sent[tick_type] = value
            self._send(session, table, tick_type, {"value": value})
