"""Single ticks: tick-by-tick streams and historical ticks (TWS_PROTOCOL sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, TypeVar

from htbot.domain.instruments import SecType
from htbot.domain.quotes import Quote
from htbot.domain.sessions import SessionTable, floor_to
from htbot.market.ports import ContractDetails, Market, Print
from htbot.paper.contracts import Tradable
from htbot.paper.errors import RequestError, invalid
from htbot.paper.prices import Prices
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.tables import Table
from htbot.paper.wire.times import epoch

_NOT_SUPPORTED = 10189
_QUOTED = frozenset({SecType.STOCK, SecType.FUTURE, SecType.CONTINUOUS_FUTURE, SecType.FOREX, SecType.CRYPTO})
_PAST_LIMIT, _UNREPORTED = 1, 2
_FIRST_WINDOW = timedelta(minutes=1)
_INSTANT = timedelta(microseconds=1)
_SESSIONS = 3
_DIGITS = 9


class TickType(IntEnum):
    """Tick-by-tick types as message 99 numbers them."""

    LAST = 1
    ALL_LAST = 2
    BID_ASK = 3
    MIDPOINT = 4


_NAMES = {
    "LAST": TickType.LAST,
    "ALLLAST": TickType.ALL_LAST,
    "BIDASK": TickType.BID_ASK,
    "MIDPOINT": TickType.MIDPOINT,
}
HISTORICAL = {"TRADES": TickType.ALL_LAST, "BID_ASK": TickType.BID_ASK, "MIDPOINT": TickType.MIDPOINT}


def tick_type(text: str) -> TickType:
    """The type that a request names.

    Raises:
        RequestError: 321 for a word that IB does not know.
    """
    found = _NAMES.get(text.strip().upper())
    if found is None:
        raise invalid(f"Tick-by-tick type '{text[:20]}' is invalid: use Last, AllLast, BidAsk or MidPoint")
    return found


def check_live(kind: SecType, wanted: TickType) -> None:
    """Refuse (10189) what IB streams no single ticks of: options, indices, combinations, trades of forex."""
    trades = wanted in {TickType.LAST, TickType.ALL_LAST}
    if kind not in _QUOTED or (trades and kind is SecType.FOREX):
        text = f"Failed to request tick-by-tick data: {wanted.name} ticks are not available for {kind.value}"
        raise RequestError(_NOT_SUPPORTED, text)


def home_of(details: ContractDetails) -> str:
    """The exchange of a trade that does not name its own: the primary one."""
    return details.primary_exchange or details.contract.exchange


def trade_row(trade: Print, home: str) -> dict[str, Any]:
    """A trade as messages 98 and 99 carry it; `home` is the exchange of trades that name none."""
    mask = _PAST_LIMIT * trade.past_limit + _UNREPORTED * trade.unreported
    return {
        "time": epoch(trade.at),
        "price": trade.price,
        "size": trade.size,
        "mask": mask,
        "exchange": trade.exchange or home,
        "conditions": trade.conditions,
    }


def quote_row(quote: Quote) -> dict[str, Any]:
    """Both sides of a quote; a side that is not there is 0."""
    sides = {"bid": quote.bid or 0, "ask": quote.ask or 0, "bidSize": quote.bid_size, "askSize": quote.ask_size}
    return {"time": epoch(quote.as_of), "mask": 0, **sides}


def middle_row(quote: Quote) -> dict[str, Any]:
    """The midpoint of a quote."""
    return {"time": epoch(quote.as_of), "price": round(quote.mid or 0.0, _DIGITS), "size": 0}


def _both(quotes: Sequence[Quote], shown: Quote | None, *, ignore_size: bool) -> list[Quote]:
    """Quotes whose sides (or only prices) differ from the one before."""
    found = []
    for quote in quotes:
        if shown is None or _sides(quote, ignore_size=ignore_size) != _sides(shown, ignore_size=ignore_size):
            found.append(quote)
        shown = quote
    return found


def _sides(quote: Quote, *, ignore_size: bool) -> tuple[float | None, ...]:
    prices = (quote.bid, quote.ask)
    return prices if ignore_size else (*prices, quote.bid_size, quote.ask_size)


def _middles(quotes: Sequence[Quote], shown: Quote | None) -> list[Quote]:
    found = []
    for quote in quotes:
        if quote.mid is not None and (shown is None or quote.mid != shown.mid):
            found.append(quote)
        shown = quote
    return found


@dataclass(slots=True)
class TickStream:
    """One reqTickByTickData; `since` is the instant up to which ticks were sent."""

    req_id: int
    tradable: Tradable
    type: TickType
    ignore_size: bool
    since: datetime
    shown: Quote | None = None

    @property
    def con_id(self) -> int:
        """The contract's id."""
        return self.tradable.legs[0].con_id

    def begin(self, session: Session, prices: Prices) -> None:
        """Queue the quote in force: what is to come are changes of it."""
        quote = prices.quote(self.con_id)
        if quote is not None and self.type in {TickType.BID_ASK, TickType.MIDPOINT}:
            self._quotes(session, [quote])

    def publish(self, session: Session, prices: Prices) -> None:
        """Queue every tick since the last look."""
        since, self.since = self.since, prices.at
        if self.type in {TickType.BID_ASK, TickType.MIDPOINT}:
            self._quotes(session, prices.quote_changes(self.con_id, prices.awake_since(since)))
            return
        head, home = {"reqId": self.req_id, "tickType": int(self.type)}, home_of(self.tradable.details[0])
        for trade in prices.prints(self.con_id, since):
            if self.type is TickType.ALL_LAST or not trade.unreported:
                session.send(messages.TICK_LAST, {**head, **trade_row(trade, home)})

    def _quotes(self, session: Session, quotes: Sequence[Quote]) -> None:
        if self.type is TickType.MIDPOINT:
            fresh, table, row = _middles(quotes, self.shown), messages.TICK_MIDPOINT, middle_row
        else:
            fresh = _both(quotes, self.shown, ignore_size=self.ignore_size)
            table, row = messages.TICK_BID_ASK, quote_row
        for quote in fresh:
            session.send(table, {"reqId": self.req_id, **row(quote)})
        if quotes:
            self.shown = quotes[-1]


# --- history --------------------------------------------------------------------------------------------------------

Row = TypeVar("Row", Print, Quote)


@dataclass(frozen=True, slots=True)
class TickSpan:
    """Which ticks are asked for: `count` from `start` on, or the last `count` up to `end`; all of the last second."""

    start: datetime | None
    end: datetime
    count: int

    def take(
        self,
        sessions: SessionTable,
        source: Callable[[datetime, datetime], Sequence[Row]],
        time_of: Callable[[Row], datetime],
    ) -> list[Row]:
        """The ticks, oldest first; `source` gives those of a span (after, until]."""
        rows: list[Row] = []
        for after, until in self._spans(sessions):
            part = list(source(after, until))
            rows = rows + part if self.start is not None else part + rows
            if len(rows) >= self.count:
                return self._cut(rows, time_of)
        return rows

    def _spans(self, sessions: SessionTable) -> Iterator[tuple[datetime, datetime]]:
        """Growing spans away from the start or the end, inside the nearest sessions; none splits a second."""
        if self.start is not None:
            begun = [session for session in sessions.all() if self.start < session.closes and session.opens <= self.end]
            for session in begun[:_SESSIONS]:
                yield from _forward(max(session.opens, self.start), min(session.closes, self.end))
            return
        past = [session for session in sessions.all() if session.opens <= self.end]
        for session in reversed(past[-_SESSIONS:]):
            yield from _backward(session.opens, min(session.closes, self.end))

    def _cut(self, rows: list[Row], time_of: Callable[[Row], datetime]) -> list[Row]:
        if self.start is not None:
            limit = epoch(time_of(rows[self.count - 1]))
            return [row for index, row in enumerate(rows) if index < self.count or epoch(time_of(row)) == limit]
        first = epoch(time_of(rows[-self.count]))
        return [row for row in rows if epoch(time_of(row)) >= first]


def _forward(first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    window = _FIRST_WINDOW
    while first <= last:
        following = floor_to(first, 1) + window
        yield first - _INSTANT, min(following - _INSTANT, last)
        first, window = following, window * 4


def _backward(first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    window = _FIRST_WINDOW
    while last >= first:
        after = max(floor_to(last, 1) - window, first) - _INSTANT
        yield after, last
        last, window = after, window * 4


def historical_ticks(
    market: Market, details: ContractDetails, wanted: TickType, span: TickSpan, *, ignore_size: bool
) -> tuple[Table, list[dict[str, Any]]]:
    """The message and the rows that answer a request for ticks of the past."""
    con_id = details.contract.con_id
    if wanted in {TickType.LAST, TickType.ALL_LAST}:

        def trades(after: datetime, until: datetime) -> list[Print]:
            found = market.prints(con_id, after, until)
            return [row for row in found if wanted is TickType.ALL_LAST or not row.unreported]

        rows = [
            trade_row(trade, home_of(details)) for trade in span.take(market.sessions, trades, lambda trade: trade.at)
        ]
        return messages.HISTORICAL_TICKS_LAST, rows

    def quotes(after: datetime, until: datetime) -> list[Quote]:
        found = market.quote_changes(con_id, after, until)
        return _middles(found, None) if wanted is TickType.MIDPOINT else _both(found, None, ignore_size=ignore_size)

    taken = span.take(market.sessions, quotes, lambda quote: quote.as_of)
    if wanted is TickType.MIDPOINT:
        return messages.HISTORICAL_TICKS, [middle_row(quote) for quote in taken]
    return messages.HISTORICAL_TICKS_BID_ASK, [quote_row(quote) for quote in taken]
