"""Which option lines are streamed: the chain around the spot while entries are possible, and the legs that are held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.domain.instruments import Right
from htbot.marketdata.snapshot import ListedOption

# The spot may move this many strikes between two looks without leaving the window.
MARGIN_STRIKES = 5
# Lines are taken shortly before entries open, so that quotes stand when they do.
WARM_UP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ChainNeed:
    """How far out of the money a strategy looks, and when (aware UTC); `narrower` is the need of others beside it."""

    strikes_out: int
    opens: datetime
    closes: datetime
    narrower: ChainNeed | None = None

    def active(self, now: datetime) -> bool:
        """True while quotes of the chain are wanted."""
        return self.opens - WARM_UP <= now < self.closes

    def steps(self) -> Iterator[ChainNeed]:
        """From this need to the narrowest, for when there are no lines for all."""
        need: ChainNeed | None = self
        while need is not None:
            yield need
            need = need.narrower


def widest(needs: Iterable[ChainNeed], now: datetime) -> ChainNeed | None:
    """Of several strategies on one underlying, the need that covers all that are active; None when none is.

    The others are its `narrower` ones.
    """
    found: ChainNeed | None = None
    for need in sorted((need for need in needs if need.active(now)), key=lambda need: need.strikes_out):
        if found is None or need.strikes_out > found.strikes_out:
            found = replace(need, narrower=found)
    return found


def window(options: Sequence[ListedOption], spot: float, need: ChainNeed) -> tuple[ListedOption, ...]:
    """The options within reach of the strategy on both sides of the spot, by strike."""
    price = Decimal(str(spot))
    reach = need.strikes_out + MARGIN_STRIKES
    puts = [option for option in options if option.right is Right.PUT]
    calls = [option for option in options if option.right is Right.CALL]
    near_puts = _around(puts, price, below=reach, above=MARGIN_STRIKES)
    near_calls = _around(calls, price, below=MARGIN_STRIKES, above=reach)
    return tuple(sorted((*near_puts, *near_calls), key=lambda option: (option.strike, option.right)))


def _around(options: Sequence[ListedOption], price: Decimal, *, below: int, above: int) -> Iterable[ListedOption]:
    lower = [option for option in options if option.strike < price][-below:]
    higher = [option for option in options if option.strike >= price][:above]
    return (*lower, *higher)
