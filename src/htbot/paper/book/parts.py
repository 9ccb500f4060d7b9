"""What the book works with, and the rules it works by."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from htbot.matching.view import FillRules
from htbot.paper.accounts.ledger import Ledger
from htbot.paper.accounts.valuation import Valuer
from htbot.paper.book.orders import PaperOrder
from htbot.paper.book.records import Records
from htbot.paper.contracts import ContractDesk
from htbot.paper.errors import RequestError
from htbot.paper.prices import Prices


@dataclass(frozen=True, slots=True)
class BookRules:
    """How orders are filled, and how long after its fill a commission is told (market time)."""

    fills: FillRules = field(default_factory=FillRules)
    commission_delay_s: float = 0.0


class Whims(Protocol):
    """What goes wrong with single orders on purpose."""

    def refusal(self, order: PaperOrder) -> RequestError | None:
        """Why a new order is not taken, None when it is."""
        ...

    def most(self, order: PaperOrder, quantity: Decimal) -> Decimal:
        """How much of `quantity` an order may have filled after its next look at the market."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the book works with."""

    contracts: ContractDesk
    prices: Prices
    ledger: Ledger
    valuer: Valuer
    records: Records
    whims: Whims
    rules: BookRules = field(default_factory=BookRules)
