"""Streaming quotes: one line per reqMktData, which sends only what changed since it last sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from htbot.domain.instruments import SecType
from htbot.domain.quotes import Greeks, Quote
from htbot.paper.contracts import Tradable
from htbot.paper.prices import Prices
from htbot.paper.session import Session
from htbot.paper.wire import messages

BID_SIZE, BID, ASK, ASK_SIZE, LAST, LAST_SIZE, HIGH, LOW, VOLUME, CLOSE, OPEN = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14
MODEL_OPTION, MARK_PRICE, BID_EXCHANGE, ASK_EXCHANGE = 13, 37, 32, 33
MODELLED = "MODEL"
_GENERIC_MARK = "221"
_MISSING = -1.0
_DIGITS = 6
_OPTION_DAY_PERIOD_S = 60


@dataclass(slots=True)
class MarketLine:
    """A subscription; `sent` maps a tick type to what the client has."""

    req_id: int
    tradable: Tradable
    generic: frozenset[str]
    sent: dict[int, Any] = field(default_factory=dict)
    day_period: int = -1

    def publish(self, session: Session, prices: Prices) -> None:
        """Queue what changed."""
        if self.tradable.is_combination:
            self._sides(session, prices.combination(self.tradable))
            return
        con_id = self.tradable.legs[0].con_id
        quote = prices.quote(con_id)
        if quote is not None:
            self._sides(session, quote)
            self._origin(session, quote)
            if quote.last is not None:
                self._price(session, LAST, quote.last, 0)
        self._day(session, prices, con_id)
        if self._sec_type is SecType.OPTION:
            self._model(session, prices.greeks(con_id))
        if _GENERIC_MARK in self.generic:
            mark = prices.mark(con_id)
            if mark is not None:
                self._price(session, MARK_PRICE, float(mark), 0)

    @property
    def _sec_type(self) -> SecType:
        return self.tradable.details[0].contract.sec_type

    def _sides(self, session: Session, quote: Quote) -> None:
        for price_type, size_type, price, size in (
            (BID, BID_SIZE, quote.bid, quote.bid_size),
            (ASK, ASK_SIZE, quote.ask, quote.ask_size),
        ):
            if price is not None:
                self._quoted(session, (price_type, size_type), price, size)
            elif self.tradable.is_combination:
                self._withdrawn(session, price_type, size_type)
            elif self._sec_type is not SecType.INDEX:
                self._quoted(session, (price_type, size_type), _MISSING, 0.0)

    def _withdrawn(self, session: Session, price_type: int, size_type: int) -> None:
        """A side of a combination is gone: -1 would be a legal price there, so the size says it."""
        if self.sent.pop(price_type, None) is not None:
            self._size(session, size_type, 0.0)

    def _quoted(self, session: Session, types: tuple[int, int], price: float, size: float) -> None:
        price_type, size_type = types
        if self.sent.get(price_type) != price:
            self.sent[price_type] = price
            self.sent[size_type] = size
            values = {"reqId": self.req_id, "tickType": price_type, "price": price, "size": size, "attribMask": 1}
            session.send(messages.TICK_PRICE, values)
        else:
            self._size(session, size_type, size)

    def _origin(self, session: Session, quote: Quote) -> None:
        """A modelled quote names its exchanges MODEL; a recorded one after it takes that back."""
        name = MODELLED if quote.modelled else ""
        if self.sent.get(BID_EXCHANGE, "") != name:
            self.sent[BID_EXCHANGE] = name
            for tick_type in (BID_EXCHANGE, ASK_EXCHANGE):
                session.send(messages.TICK_STRING, {"reqId": self.req_id, "tickType": tick_type, "value": name})

    def _day(self, session: Session, prices: Prices, con_id: int) -> None:
        """The day's figures; those of an option hardly move and are looked at once a minute."""
        if self._sec_type is SecType.OPTION:
            period = int(prices.at.timestamp()) // _OPTION_DAY_PERIOD_S
            if period == self.day_period:
                return
            self.day_period = period
        day = prices.statistics(con_id)
        for tick_type, value in ((HIGH, day.high), (LOW, day.low), (CLOSE, day.previous_close), (OPEN, day.open)):
            if value is not None:
                self._price(session, tick_type, value, 0)
        if self._sec_type is not SecType.INDEX:
            self._size(session, VOLUME, day.volume)

    def _price(self, session: Session, tick_type: int, price: float, size: float) -> None:
        if self.sent.get(tick_type) != price:
            self.sent[tick_type] = price
            values = {"reqId": self.req_id, "tickType": tick_type, "price": price, "size": size}
            session.send(messages.TICK_PRICE, values)

    def _size(self, session: Session, tick_type: int, size: float) -> None:
        if self.sent.get(tick_type) != size:
            self.sent[tick_type] = size
            session.send(messages.TICK_SIZE, {"reqId": self.req_id, "tickType": tick_type, "size": round(size)})

    def _model(self, session: Session, greeks: Greeks | None) -> None:
        if greeks is None or self.sent.get(MODEL_OPTION) == greeks:
            return
        self.sent[MODEL_OPTION] = greeks
        values = {
            "reqId": self.req_id,
            "tickType": MODEL_OPTION,
            "impliedVol": round(greeks.implied_volatility, _DIGITS),
            "delta": round(greeks.delta, _DIGITS),
            "optPrice": round(greeks.price, _DIGITS),
            "pvDividend": 0,
            "gamma": round(greeks.gamma, _DIGITS),
            "vega": round(greeks.vega, _DIGITS),
            "theta": round(greeks.theta, _DIGITS),
            "undPrice": greeks.underlying_price,
        }
        session.send(messages.TICK_OPTION, values)
