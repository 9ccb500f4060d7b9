"""What is traded: contracts, and the facts of the underlyings that strategies may be pointed at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class SecType(StrEnum):
    """IB's security types. The desk trades stocks, options and combinations; the paper gateway knows all of these."""

    STOCK = "STK"
    INDEX = "IND"
    OPTION = "OPT"
    BAG = "BAG"
    FUTURE = "FUT"
    CONTINUOUS_FUTURE = "CONTFUT"
    FOREX = "CASH"
    CRYPTO = "CRYPTO"


class Right(StrEnum):
    """Option right as IB writes it."""

    CALL = "C"
    PUT = "P"


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument as the broker knows it; `con_id` is the identity."""

    con_id: int
    symbol: str
    sec_type: SecType
    exchange: str
    currency: str = "USD"
    expiry: date | None = None
    strike: Decimal | None = None
    right: Right | None = None
    trading_class: str = ""
    multiplier: int = 1

    @property
    def described(self) -> str:
        """As people name it: `SPX 2026-11-19 4995 P`."""
        parts = (self.symbol, self.expiry, self.strike, self.right)
        return " ".join(str(part) for part in parts if part is not None)


class Instrument(Protocol):
    """What a stock, fund or index is asked for by."""

    @property
    def symbol(self) -> str:
        """As IB writes it."""
        ...

    @property
    def sec_type(self) -> SecType:
        """Stock or index."""
        ...

    @property
    def exchange(self) -> str:
        """SMART, or the exchange of an index."""
        ...


@dataclass(frozen=True, slots=True)
class PlainInstrument:
    """A stock, fund or index by its name alone."""

    symbol: str
    sec_type: SecType
    exchange: str


INDEX_EXCHANGES = {
    **dict.fromkeys(("SPX", "XSP", "VIX"), "CBOE"),
    **dict.fromkeys(("NDX", "COMP"), "NASDAQ"),
    "RUT": "RUSSELL",
    "INDU": "CME",
}
"""Symbols that are indices; every other one is a stock or a fund."""


def plain_instrument(symbol: str) -> PlainInstrument:
    """What is meant by a symbol."""
    exchange = INDEX_EXCHANGES.get(symbol)
    if exchange is None:
        return PlainInstrument(symbol, SecType.STOCK, "SMART")
    return PlainInstrument(symbol, SecType.INDEX, exchange)


@dataclass(frozen=True, slots=True)
class Underlying:
    """Facts of an underlying that the option strategies need (RULINGS 12, 22, 28).

    A single option has the grid of combinations below `coarse_from`, and `coarse_tick` from there on; None: everywhere.
    """

    symbol: str
    sec_type: SecType
    exchange: str
    option_class: str
    strike_step: Decimal
    combo_tick: Decimal
    cash_settled: bool
    profit_target_usd: Decimal
    stop_loss_usd: Decimal
    minimum_credit: Decimal
    multiplier: int = 100
    coarse_from: Decimal | None = None
    coarse_tick: Decimal | None = None

    @property
    def flat_by(self) -> time:
        """Nothing is held later, New York: 15:45, for shares delivered 15:30 (RULINGS 11, 12)."""
        return time(15, 45) if self.cash_settled else time(15, 30)

    def option_tick(self, price: Decimal) -> Decimal:
        """The grid of one option at a price: SPX 0.05 below 3 and 0.10 above, SPY and QQQ 0.01 (spec 01 section 6)."""
        if self.coarse_from is None or self.coarse_tick is None or price < self.coarse_from:
            return self.combo_tick
        return self.coarse_tick

    def minimum_credit_for(self, width: Decimal) -> Decimal:
        """Smallest acceptable credit per unit: SPX max(0.50, 5 % of width), SPY and QQQ a flat 0.20 (RULINGS 22)."""
        if self.cash_settled:
            return max(self.minimum_credit, width * Decimal("0.05"))
        return self.minimum_credit


UNDERLYINGS: dict[str, Underlying] = {
    "SPX": Underlying(
        symbol="SPX",
        sec_type=SecType.INDEX,
        exchange="CBOE",
        option_class="SPXW",
        strike_step=Decimal(5),
        combo_tick=Decimal("0.05"),
        cash_settled=True,
        profit_target_usd=Decimal(400),
        stop_loss_usd=Decimal(200),
        minimum_credit=Decimal("0.50"),
        coarse_from=Decimal(3),
        coarse_tick=Decimal("0.10"),
    ),
    **{
        symbol: Underlying(
            symbol=symbol,
            sec_type=SecType.STOCK,
            exchange="SMART",
            option_class=symbol,
            strike_step=Decimal(1),
            combo_tick=Decimal("0.01"),
            cash_settled=False,
            profit_target_usd=Decimal(40),
            stop_loss_usd=Decimal(20),
            minimum_credit=Decimal("0.20"),
        )
        for symbol in ("SPY", "QQQ")
    },
}
