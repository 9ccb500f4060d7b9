"""Bars of the bids of a bought option, made of what is seen of them, and whether the last one says to sell.

Whoever guards a trade sees its quotes, live and in a backtest, and makes the bars of what it sees: no other series of
them is asked for anywhere, so that both make the same (decision 0039).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from htbot.domain.sessions import floor_to
from htbot.domain.trades import MomentumExit


@dataclass(frozen=True, slots=True)
class BidBar:
    """Bids of one option over some minutes, USD per unit."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    def with_bid(self, bid: Decimal) -> BidBar:
        """The same with one more bid."""
        return BidBar(self.open, max(self.high, bid), min(self.low, bid), bid)


@dataclass(frozen=True, slots=True)
class BidBars:
    """The bar that is made and the `last` that was closed; a bar is closed by the first look after its end."""

    last: BidBar | None = None
    start: datetime | None = None
    made: BidBar | None = None

    def seen(self, at: datetime, bid: Decimal | None, minutes: int) -> BidBars:
        """After one look; a bid that is not there is nothing to see, but time goes on."""
        start = floor_to(at, minutes * 60)
        bars = self
        if start != self.start:
            bars = BidBars(self.last if self.made is None else self.made, start)
        if bid is None:
            return bars
        return replace(bars, made=BidBar(bid, bid, bid, bid) if bars.made is None else bars.made.with_bid(bid))


def has_turned(rule: MomentumExit, paid: Decimal, bar: BidBar | None) -> bool:
    """Whether a closed bar has run, and has lost its momentum."""
    if bar is None or bar.high <= rule.multiple * paid:
        return False
    return bar.close < bar.open or bar.high - bar.close > rule.wick_ratio * abs(bar.close - bar.open)
