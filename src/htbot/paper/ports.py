"""What the gateway's server needs of a market.

Every answer is a pure function of its arguments and the world's seed or data, so that a restarted gateway goes on
exactly where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from htbot.domain.bars import Bar
from htbot.domain.instruments import Contract
from htbot.domain.quotes import Greeks, Quote
from htbot.domain.sessions import SessionTable


@dataclass(frozen=True, slots=True)
class ContractQuery:
    """What a client said of a contract; empty text and zero mean 'not said'."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    exchange: str = ""
    currency: str = ""
    trading_class: str = ""
    local_symbol: str = ""


@dataclass(frozen=True, slots=True)
class ContractDetails:
    """A contract with what reqContractDetails tells about it."""

    contract: Contract
    local_symbol: str
    long_name: str
    market_name: str
    min_tick: Decimal
    price_rule: tuple[tuple[Decimal, Decimal], ...]
    valid_exchanges: str
    primary_exchange: str = ""
    under_con_id: int = 0
    under_symbol: str = ""
    under_sec_type: str = ""
    stock_type: str = ""
    listing: str = "modelled"


@dataclass(frozen=True, slots=True)
class OptionChain:
    """One exchange's answer to reqSecDefOptParams; strikes are the union over expirations, as at IB."""

    exchange: str
    under_con_id: int
    trading_class: str
    multiplier: int
    expirations: tuple[str, ...]
    strikes: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """The running session of one contract at an instant; `previous_close` is of the session before."""

    open: float | None
    high: float | None
    low: float | None
    previous_close: float | None
    volume: float


class Market(Protocol):
    """A world: its sessions, its contracts, and prices at any market time (aware UTC, whole seconds)."""

    @property
    def world_id(self) -> str:
        """Name of the world: same seed, data and start give the same text."""
        ...

    @property
    def sessions(self) -> SessionTable:
        """The sessions this world has prices for, earlier ones (history) included."""
        ...

    @property
    def start(self) -> datetime:
        """The market time at which a new world begins."""
        ...

    @property
    def end(self) -> datetime | None:
        """The last market time, or None for a world that goes on."""
        ...

    def details(self, query: ContractQuery, at: datetime) -> list[ContractDetails]:
        """Every contract that the query fits on the date of `at`; empty when there is none (error 200)."""
        ...

    def contract(self, con_id: int) -> ContractDetails | None:
        """The contract behind an id, whichever query made it known; ids are stable for a world and over restarts."""
        ...

    def chains(self, under_con_id: int, at: datetime) -> list[OptionChain]:
        """Option chains of an underlying as listed at `at`."""
        ...

    def quote(self, con_id: int, at: datetime) -> Quote | None:
        """The quote in force at `at`; None for an unknown contract or before its first price.

        `modelled` tells a model price from a recorded one. An index has no sides, only `last`.
        """
        ...

    def greeks(self, con_id: int, at: datetime) -> Greeks | None:
        """Model greeks of an option; None for anything else or after expiry."""
        ...

    def statistics(self, con_id: int, at: datetime) -> DayStatistics:
        """Open, high, low, previous close and volume of the running session."""
        ...

    def bars(self, con_id: int, minutes: int, since: datetime, until: datetime) -> list[Bar]:
        """Regular-hours bars that start in [since, until], oldest first.

        The last one is partial (the open bar) when `until` lies inside it, and shows only its open when it begins at
        `until`: at the instant where one bar ends the next has begun. Options give the bars of their mid.
        """
        ...

    def settlement(self, con_id: int, day: date | None = None) -> Decimal | None:
        """The price of the underlying that an expiring option settles to; None when its session has no prices.

        `con_id` is the option's, or the underlying's together with the `day` of expiry.
        """
        ...

    def next_event(self, after: datetime) -> datetime | None:
        """The next instant strictly after `after` at which a price may change, None after `end`.

        Path points of the bars and every 30-second grid point of the session; nights are skipped.
        """
        ...
