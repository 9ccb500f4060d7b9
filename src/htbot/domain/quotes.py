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


LIVE_DATA = 1
DATA_TYPES = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed and frozen"}
"""IB's market data types, in words."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Bid and ask of a contract; None = the side is not there. `as_of` is the market time at which it stands.

    `data_type` is the broker's, by number (`DATA_TYPES`).
    """

    con_id: int
    as_of: datetime
    bid: float | None = None
    ask: float | None = None
    bid_size: float = 0.0
    ask_size: float = 0.0
    last: float | None = None
    modelled: bool = False
    data_type: int = LIVE_DATA

    @property
    def mid(self) -> float | None:
        """Half-way between bid and ask, or None when a side is missing."""
        if self.bid is None or self.ask is None:
            return None
        return (self.bid + self.ask) / 2

    @property
    def locked(self) -> bool:
        """True when bid and ask are the same: one of them is about to go."""
        return self.bid is not None and self.bid == self.ask

    @property
    def crossed(self) -> bool:
        """True when the bid is above the ask: such a quote prices nothing."""
        return self.bid is not None and self.ask is not None and self.bid > self.ask
