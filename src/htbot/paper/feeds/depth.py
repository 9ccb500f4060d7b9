"""Market depth: a simulated book around the touch (TWS_PROTOCOL section 4, messages 12 and 13).

The first level is the quote. Deeper levels are modelled: one tick apart, with sizes that follow from the contract, the
price and the second of the day, so that a world shows the same book whenever it is asked. Smart depth shows each price
once for every exchange that quotes it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from htbot.domain.quotes import Quote
from htbot.paper.contracts import Tradable
from htbot.paper.prices import Prices
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.times import epoch

INSERT, UPDATE, DELETE = 0, 1, 2
ASK, BID = 0, 1
MAX_ROWS = 20
_SIZE_PERIOD_S = 5
_DIGITS = 9
_SMART_VENUES = 3
_GROWTH = 0.6


@dataclass(frozen=True, slots=True)
class Level:
    """One row of a book."""

    price: float
    size: float
    venue: str = ""


def book_side(quote: Quote, side: int, tick: float, rows: int, venues: Sequence[str]) -> list[Level]:
    """The rows of one side, best first; empty where that side is not quoted. No venues = one row for each price."""
    price, size = (quote.bid, quote.bid_size) if side == BID else (quote.ask, quote.ask_size)
    if price is None or price <= 0:
        return []
    step = -tick if side == BID else tick
    shared = max(1, min(len(venues), _SMART_VENUES))
    found: list[Level] = []
    for row in range(rows):
        level, place = divmod(row, shared)
        at = round(price + level * step, _DIGITS)
        if at <= 0:
            break
        total = size if level == 0 else _modelled(quote.con_id, at, size, level, quote.as_of)
        venue = venues[(level + place) % len(venues)] if venues else ""
        found.append(Level(at, _share(total, place, shared), venue))
    return found


def _modelled(con_id: int, price: float, touch: float, level: int, at: datetime) -> float:
    """Size behind the touch: on average more with each level."""
    name = f"{con_id} {price} {epoch(at) // _SIZE_PERIOD_S}"
    spread = 0.5 + zlib.crc32(name.encode()) % 1000 / 1000
    return max(1.0, round(max(touch, 1.0) * (1 + _GROWTH * level) * spread))


def _share(total: float, place: int, shared: int) -> float:
    """The part of a level that one of several exchanges has; the first takes what does not divide."""
    part = total // shared
    return total - part * (shared - 1) if place == 0 else part


def changes(shown: Sequence[Level], wanted: Sequence[Level]) -> Iterator[tuple[int, int, Level]]:
    """(position, operation, level) that turn one side of a client's book into another, in order."""
    for position, level in enumerate(wanted):
        if position >= len(shown):
            yield position, INSERT, level
        elif shown[position] != level:
            yield position, UPDATE, level
    for position in range(len(shown) - 1, len(wanted) - 1, -1):
        yield position, DELETE, shown[position]


@dataclass(slots=True)
class DepthStream:
    """One reqMktDepth; `book` is what the client has."""

    req_id: int
    tradable: Tradable
    rows: int
    venues: tuple[str, ...] = ()
    book: dict[int, list[Level]] = field(default_factory=lambda: {ASK: [], BID: []})

    def publish(self, session: Session, prices: Prices) -> None:
        """Queue the changes of both sides."""
        contract = self.tradable.legs[0].con_id
        quote = prices.quote(contract) or Quote(contract, prices.at)
        tick = float(self.tradable.price_rule[0][1])
        for side in (ASK, BID):
            wanted = book_side(quote, side, tick, self.rows, self.venues)
            for position, operation, level in changes(self.book[side], wanted):
                self._send(session, side, position, operation, level)
            self.book[side] = wanted

    def _send(self, session: Session, side: int, position: int, operation: int, level: Level) -> None:
        values: dict[str, Any] = {"reqId": self.req_id, "position": position, "operation": operation, "side": side}
        gone = operation == DELETE
        values |= {"price": 0 if gone else level.price, "size": 0 if gone else level.size}
        if self.venues:
            values |= {"marketMaker": level.venue, "isSmartDepth": 1}
            session.send(messages.DEPTH_L2, values)
        else:
            session.send(messages.DEPTH, values)
