"""What a backtest of strategies on plain instruments as the desk trades them is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from htbot.backtest.terms import Terms
from htbot.domain.bars import Bar
from htbot.domain.errors import ConfigurationError
from htbot.domain.fills import Fill
from htbot.domain.instruments import SecType, plain_instrument
from htbot.domain.orders import OrderIntent
from htbot.domain.signals import Evaluation, Signal
from htbot.domain.trades import Trade
from htbot.risk.limits import Limits
from htbot.strategies.bar_strategy import BarConfig, BarStrategy


@dataclass(frozen=True, slots=True)
class Seat:
    """An instance of a strategy: its name, its stock or fund, and `build`, which makes it anew for every fold.

    Its state is folded from the bar that starts at `first_bar` on, and it enters only at bars that end after `since`.
    Without `since` it begins by itself as a live one does, as soon as the bars from `first_bar` on, None the market's
    first, are enough for it.
    """

    name: str
    symbol: str
    build: Callable[[], BarStrategy]
    first_bar: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """Everything that decides what comes out: the same request gives the same result.

    Seats share the account; of what they want at one instant that of the first name comes first. `limits_of` are the
    gate's numbers for a configuration. `own_series` (symbol, minutes) is strategy 1's: it is streamed even when no seat
    is shown it any more.
    """

    seats: tuple[Seat, ...]
    terms: Terms
    limits_of: Callable[[BarConfig], Limits]
    own_series: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        names = [seat.name for seat in self.seats]
        if not names or len(set(names)) != len(names):
            raise ConfigurationError(f"{', '.join(names) or 'no seat'}: give at least one, each with a name of its own")
        for seat in self.seats:
            if plain_instrument(seat.symbol).sec_type is not SecType.STOCK:
                raise ConfigurationError(f"{seat.name} on {seat.symbol}: an index is not traded, give a stock or fund")


@dataclass(frozen=True, slots=True)
class PlainSignal:
    """What a strategy wanted at a closed bar; `refused_by` says why it did not become an order."""

    signal: Signal
    refused_by: str | None


@dataclass(frozen=True, slots=True)
class PlainResult:
    """What came of it, in the order in which it happened; `trades` are all that were begun.

    `bars` are the closed bars of the days that were played, of every series, `known_at` the instants from which each of
    them could be read; `halts` are trips of the breaker.
    """

    account: str
    days: tuple[date, ...]
    trades: tuple[Trade, ...]
    signals: tuple[PlainSignal, ...]
    intents: tuple[OrderIntent, ...]
    fills: tuple[Fill, ...]
    evaluations: tuple[Evaluation, ...]
    bars: tuple[Bar, ...]
    known_at: tuple[datetime, ...]
    halts: tuple[str, ...]
