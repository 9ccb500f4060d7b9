"""What a position is worth at risk, and what the account carries (spec 05 section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from htbot.risk.case import Case

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Stake:
    """Units of one instrument, signed, that are held, working and ordered; `price` USD per unit, `multiplier` units.

    A price is the limit, or the worse touch of an order without one. A spread is put in dollars of its maximum loss at
    a price of 1, a bought option in contracts at its premium.
    """

    held: Decimal
    working: Decimal
    ordered: Decimal
    price: Decimal = Decimal(1)
    multiplier: int = 1

    @property
    def value_usd(self) -> Decimal:
        """|held + working + ordered| x price x multiplier."""
        return abs(self.held + self.working + self.ordered) * self.price * self.multiplier

    @property
    def reduces(self) -> bool:
        """True when the order takes away from what is held and does not turn it round."""
        return self.held * self.ordered < 0 and abs(self.ordered + self.working) <= abs(self.held)

    def within(self, limit_usd: Decimal) -> bool:
        """True when the position may become this large; an order that reduces is always allowed."""
        return self.reduces or self.value_usd <= limit_usd


def stake_of(case: Case) -> Stake | None:
    """What the case ties up beside the open trades on its underlying, working entries included; None when unknown."""
    own = case.value_usd
    return None if own is None else Stake(case.symbol_value_usd, _ZERO, own)


def gross_leverage(
    gross_usd: Decimal | None, order_usd: Decimal | None, net_liquidation_usd: Decimal | None
) -> Decimal | None:
    """(Sum of |position value| + order value) / net liquidation; None when a part is unknown or nothing is left."""
    if gross_usd is None or order_usd is None or net_liquidation_usd is None or net_liquidation_usd <= 0:
        return None
    return (gross_usd + order_usd) / net_liquidation_usd
