"""Quotes: the two sides of one contract at one market time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Greeks:
    """Model values as IB's tickOptionComputation carries them; volatility and greeks per unit, theta per day."""

    implied_volatility: float
    delta: float
    gamma: float
    vega: float
    theta: float
    price: float
    underlying_price: float


@dataclass(frozen=True, slots=True)
class Quote:
    """Bid and ask of a contract; None = the side is not there. `as_of` is the market time at which it stands."""

    con_id: int
    as_of: datetime
    bid: float | None = None
    ask: float | None = None
    bid_size: float = 0.0
    ask_size: float = 0.0
    last: float | None = None
    modelled: bool = False

    @property
    def mid(self) -> float | None:
        """Half-way between bid and ask, or None when a side is missing."""
        if self.bid is None or self.ask is None:
            return None
        return (self.bid + self.ask) / 2

    @property
    def crossed(self) -> bool:
        """True when the bid is above the ask: such a quote prices nothing."""
        return self.bid is not None and self.ask is not None and self.bid > self.ask
