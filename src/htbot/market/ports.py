"""What the gateway's server needs of a market.

Every answer is a pure function of its arguments and the world's seed or data, so that a restarted gateway goes on
exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

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
    multiplier: str = ""
    primary_exchange: str = ""
    sec_id_type: str = ""
    sec_id: str = ""
    include_expired: bool = False


@dataclass(frozen=True, slots=True)
class ContractDetails:
    """A contract with what reqContractDetails tells about it; `last_trade` where that is not the day of expiry."""

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
    industry: str = ""
    category: str = ""
    subcategory: str = ""
    sec_ids: tuple[tuple[str, str], ...] = ()
    min_size: Decimal = Decimal(1)
    size_increment: Decimal = Decimal(1)
    price_magnifier: int = 1
    contract_month: str = ""
    last_trade: date | None = None

    @property
    def last_trade_date(self) -> str:
        """The last day of trading, yyyymmdd; empty for what never expires."""
        day = self.last_trade or self.contract.expiry
        return f"{day:%Y%m%d}" if day else ""


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
    """The running session of one contract at an instant; `previous_close` and `open_interest` of the session before."""

    open: float | None
    high: float | None
    low: float | None
    previous_close: float | None
    volume: float
    open_interest: float | None = None


class Show(StrEnum):
    """What a bar is made of (`whatToShow`), as far as the world keeps it; the rest is derived from these."""

    TRADES = "TRADES"
    MIDPOINT = "MIDPOINT"
    BID = "BID"
    ASK = "ASK"
    HISTORICAL_VOLATILITY = "HISTORICAL_VOLATILITY"
    OPTION_IMPLIED_VOLATILITY = "OPTION_IMPLIED_VOLATILITY"


@dataclass(frozen=True, slots=True)
class Candle:
    """A bar of any length; `start` aware UTC, prices in the contract's quote currency, `count` = number of trades.

    Bars of MIDPOINT, BID and ASK have no volume (0). Bars of a volatility hold it per year (0.15 = 15 %).
    """

    start: datetime
    seconds: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    average: float = 0.0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Print:
    """One trade on the tape; `at` aware UTC with the world's own resolution, `size` in units of the contract."""

    at: datetime
    price: float
    size: float
    exchange: str = ""
    conditions: str = ""
    past_limit: bool = False
    unreported: bool = False


@dataclass(frozen=True, slots=True)
class TradingHours:
    """Spans of one date, aware UTC; empty = closed. `liquid` are the regular hours, `trading` also the extended."""

    zone: str
    trading: tuple[tuple[datetime, datetime], ...] = ()
    liquid: tuple[tuple[datetime, datetime], ...] = ()


class Market(Protocol):
    """A world: its sessions, its contracts, and prices at any market time (aware UTC)."""

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

    def matching(self, pattern: str, at: datetime) -> list[ContractDetails]:
        """Underlyings whose symbol begins with a pattern or whose name has a word that does, the best first."""
        ...

    def underlyings(self, at: datetime) -> Sequence[ContractDetails]:
        """Every instrument with prices of its own, of a future the month in front: what a scanner looks through."""
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

    def greeks(self, con_id: int, at: datetime, price: float | None = None) -> Greeks | None:
        """Model greeks of an option; None for anything else or after expiry.

        With a `price` (of the bid, the ask, a trade) the greeks at the volatility that gives it, None where none does.
        """
        ...

    def statistics(self, con_id: int, at: datetime) -> DayStatistics:
        """Open, high, low, previous close and volume of the running session."""
        ...

    def candles(self, con_id: int, seconds: int, since: datetime, until: datetime, show: Show) -> list[Candle]:
        """Regular-hours bars that start in [since, until], oldest first; `seconds` = 86,400 gives one bar a session.

        The last one is partial (the open bar) when `until` lies inside it, and shows only its open when it begins at
        `until`: at the instant where one bar ends the next has begun. TRADES of options are bars of the mid unless
        their trades are recorded. Kinds that trade round the clock have bars of all their hours. Volatilities exist for
        underlyings as bars of a session only. Empty where the world keeps nothing so short.
        """
        ...

    def prints(self, con_id: int, after: datetime, until: datetime) -> Sequence[Print]:
        """Trades in (after, until], in the order of the tape; a modelled tape has at most one a second."""
        ...

    def has_tape(self, con_id: int) -> bool:
        """True where each trade is recorded: then a market line shows every print, else the last one of a span."""
        ...

    def halted(self, con_id: int, at: datetime) -> bool:
        """True while trading is halted: quotes stand, nothing trades, orders wait."""
        ...

    def quote_changes(self, con_id: int, after: datetime, until: datetime) -> Sequence[Quote]:
        """Every change of the quote in (after, until], oldest first."""
        ...

    def is_trading(self, con_id: int, at: datetime, *, outside_rth: bool) -> bool:
        """Whether `at` lies in the regular hours of the contract, or in its extended ones; a halt is told apart."""
        ...

    def hours(self, con_id: int, day: date) -> TradingHours:
        """When the contract trades on a New York date."""
        ...

    def head(self, con_id: int) -> datetime | None:
        """The earliest instant of which the world has a price; None when it has none."""
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
