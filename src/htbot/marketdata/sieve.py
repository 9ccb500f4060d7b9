"""Quotes that jump beyond belief are held back until they have lasted (FAULTS 32)."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import timedelta

from htbot.domain.quotes import Quote

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Belief:
    """A side that becomes `factor` times dearer or cheaper, and by at least `usd`, within `memory_s` is a jump.

    One that still stands after `confirm_s` is the market. Seconds are market time.
    """

    factor: float = 20.0
    usd: float = 1.0
    memory_s: float = 60.0
    confirm_s: float = 3.0


class QuoteSieve:
    """Stands between the broker's lines and whoever prices anything; one for all lines of a desk."""

    def __init__(self, belief: Belief | None = None) -> None:
        self._belief = belief or Belief()
        self._good: dict[int, Quote] = {}
        self._suspects: dict[int, Quote] = {}
        self.rejected = 0

    def look(self, quote: Quote) -> Quote:
        """What `admit` would answer now; nothing is remembered of it."""
        good = self._good.get(quote.con_id)
        if good is None or not self._jumps(good, quote) or self._lasted(quote):
            return quote
        return good

    def admit(self, quote: Quote) -> Quote:
        """The quote, or the last good one in its place, which grows older until the doubt is over."""
        key = quote.con_id
        good = self.look(quote)
        if good is quote:
            self._good[key] = quote
            self._suspects.pop(key, None)
            return quote
        suspect = self._suspects.get(key)
        if suspect is None or self._jumps(suspect, quote):
            self._suspects[key] = quote
            self.rejected += 1
            _log.warning(
                "quote of %s jumped from %s / %s to %s / %s: held back", key, good.bid, good.ask, quote.bid, quote.ask
            )
        return good

    def _lasted(self, quote: Quote) -> bool:
        suspect = self._suspects.get(quote.con_id)
        if suspect is None or self._jumps(suspect, quote):
            return False
        return quote.as_of - suspect.as_of >= timedelta(seconds=self._belief.confirm_s)

    def _jumps(self, before: Quote, after: Quote) -> bool:
        if after.as_of - before.as_of > timedelta(seconds=self._belief.memory_s):
            return False
        sides = ((before.bid, after.bid), (before.ask, after.ask), (before.last, after.last))
        return any(self._jumped(*pair) for pair in sides)

    def _jumped(self, before: float | None, after: float | None) -> bool:
        if before == after or before is None or after is None or not (_is_price(before) and _is_price(after)):
            return False
        low, high = sorted((before, after))
        return high >= self._belief.factor * low and high - low >= self._belief.usd


def _is_price(number: float) -> bool:
    return math.isfinite(number) and number > 0
