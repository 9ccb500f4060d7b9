"""Trades of options, modelled where none are recorded: few, at the touch, always the same.

A contract trades every 3 to 27 minutes, by its id; each trade is at the modelled bid or ask of its instant, for 1 to 15
contracts. A recorded bar of trades is one trade at its close, when it ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp, log
from operator import attrgetter

from htbot.domain.quotes import Quote
from htbot.domain.recorded import BarColumns
from htbot.market.ports import Print
from htbot.market.timeline import instant
from htbot.market.touch import size_of

_SHORTEST_S, _SPREAD = 180, 25
_LARGEST = 15
_INTEREST = 4_000
_REACH = 0.06
_KEPT_SESSIONS = 2
_KEPT_CONTRACTS = 4096
QuoteAt = Callable[[int, int], Quote | None]


@dataclass(frozen=True, slots=True)
class Hours:
    """A session in epoch seconds."""

    opens_s: int
    closes_s: int


@dataclass(slots=True)
class _Made:
    """Trades of a session so far, and how many turns to trade are over."""

    trades: list[Print] = field(default_factory=list)
    turns: int = 0


class OptionTrades:
    """Modelled trades of every option of a world.

    Args:
        quote_at: the modelled quote of a contract (id, epoch seconds).
    """

    def __init__(self, quote_at: QuoteAt) -> None:
        self._quote_at = quote_at
        self._kept: dict[int, dict[int, _Made]] = {}

    def until(self, con_id: int, at_s: int, hours: Hours) -> list[Print]:
        """Trades of a session up to an instant, oldest first; they are priced once."""
        known = self._session(con_id, hours.opens_s)
        at_s = min(at_s, hours.closes_s)
        wanted = _count(con_id, at_s, hours.opens_s)
        while known.turns < wanted:
            known.trades += self._make(con_id, known.turns, hours.opens_s)
            known.turns += 1
        if known.turns == wanted:
            return known.trades
        return known.trades[: bisect_right(known.trades, instant(at_s), key=attrgetter("at"))]

    def last(self, con_id: int, at_s: int, hours: Hours) -> float | None:
        """Price of the last trade of the session."""
        if not _count(con_id, min(at_s, hours.closes_s), hours.opens_s):
            return None
        found = self.until(con_id, at_s, hours)
        return found[-1].price if found else None

    def _session(self, con_id: int, opens_s: int) -> _Made:
        """The trades made so far of a session; two are kept: the running one and the one whose close it tells."""
        if con_id not in self._kept and len(self._kept) >= _KEPT_CONTRACTS:
            self._kept.clear()
        kept = self._kept.setdefault(con_id, {})
        if opens_s not in kept:
            if len(kept) >= _KEPT_SESSIONS:
                del kept[next(iter(kept))]
            kept[opens_s] = _Made()
        return kept[opens_s]

    def _make(self, con_id: int, turn: int, opens_s: int) -> list[Print]:
        """The trade of a contract's turn; none where nothing is quoted, as before the first price of a world."""
        phase_s, period_s = _rhythm(con_id)
        at_s = opens_s + phase_s + turn * period_s
        quote = self._quote_at(con_id, at_s)
        at_bid = size_of(con_id, at_s, 2) > 1
        sides = () if quote is None else (quote.bid, quote.ask) if at_bid else (quote.ask, quote.bid)
        price = next((side for side in sides if side is not None), None)
        return [] if price is None else [Print(instant(at_s), price, size_of(con_id, at_s, _LARGEST), "CBOE")]


def recorded_trades(columns: BarColumns, from_s: int, until_s: int) -> list[Print]:
    """Recorded bars that end in (from, until], one trade each."""
    first = bisect_right(columns.start_s, from_s - columns.seconds)
    last = bisect_right(columns.start_s, until_s - columns.seconds)
    return [
        Print(instant(columns.start_s[row] + columns.seconds), columns.close[row], columns.volume[row])
        for row in range(first, last)
        if columns.volume[row] > 0
    ]


def open_interest(con_id: int, strike: float, reference: float) -> float:
    """Modelled: most near the money, by the contract's id."""
    distance = log(strike / reference) / _REACH
    return float(int(size_of(con_id, 0, _INTEREST) * exp(-0.5 * distance * distance)) + size_of(con_id, 1, 40))


@lru_cache(maxsize=_KEPT_CONTRACTS)
def _rhythm(con_id: int) -> tuple[int, int]:
    period_s = _SHORTEST_S + 60 * int(size_of(con_id, 7, _SPREAD) - 1)
    return int(size_of(con_id, 11, period_s)), period_s


def _count(con_id: int, at_s: int, opens_s: int) -> int:
    phase_s, period_s = _rhythm(con_id)
    return max((at_s - opens_s - phase_s) // period_s + 1, 0)
