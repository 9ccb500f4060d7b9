"""A margin account that nothing binds, and a broker that has margin for everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from htbot.domain.accounts import AccountFigures
from htbot.domain.margin import MarginQuestion, WhatIf

FIGURES = AccountFigures(
    available_funds=Decimal(25_000),
    excess_liquidity=Decimal(90_000),
    equity_with_loan=Decimal(100_000),
    gross_position_value=Decimal(0),
    total_cash=Decimal(100_000),
    settled_cash=Decimal(100_000),
    day_trades_remaining=Decimal(-1),
    overnight_funds=Decimal(90_000),
)
ENOUGH = WhatIf(
    equity_with_loan_after=Decimal(100_480),
    initial_margin_after=Decimal(4_000),
    maintenance_margin_after=Decimal(4_000),
    commission=Decimal("2.20"),
)


def enough_margin(_question: MarginQuestion) -> WhatIf:
    """What a broker answers about an order that the account can carry."""
    return ENOUGH


@dataclass
class AskedBroker:
    """Answers a what-if as it is told to, and keeps what it was asked."""

    answer: WhatIf = ENOUGH
    asked: list[MarginQuestion] = field(default_factory=list)
    ask: Callable[[MarginQuestion], WhatIf] | None = None

    def __call__(self, question: MarginQuestion) -> WhatIf:
        self.asked.append(question)
        return self.answer if self.ask is None else self.ask(question)
