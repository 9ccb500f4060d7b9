"""What the broker says an account has, and what kind of account that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum

# Reg T lends at least as much again; a cash account's buying power is its own funds.
_LENT = Decimal("1.5")


class AccountKind(StrEnum):
    """Whether the broker lends."""

    CASH = "cash"
    MARGIN = "margin"


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """The broker's account values beside net liquidation and buying power, USD; None = it has not told them.

    `day_trades_remaining` is the broker's own count; -1 means that it sets no limit.
    """

    available_funds: Decimal | None = None
    excess_liquidity: Decimal | None = None
    equity_with_loan: Decimal | None = None
    gross_position_value: Decimal | None = None
    total_cash: Decimal | None = None
    settled_cash: Decimal | None = None
    day_trades_remaining: Decimal | None = None
    overnight_funds: Decimal | None = None

    @classmethod
    def of_tags(cls, amounts: Mapping[str, Decimal]) -> AccountFigures:
        """From amounts by the broker's own names; those that are absent stay unknown."""
        return cls(**{name: amounts.get(tag) for name, tag in FIGURE_TAGS.items()})

    def as_texts(self) -> dict[str, str | None]:
        """Each figure as decimal text, for JSON."""
        return {one.name: None if (value := getattr(self, one.name)) is None else str(value) for one in fields(self)}

    @classmethod
    def of_texts(cls, texts: Mapping[str, str | None]) -> AccountFigures:
        """The figures back from their texts."""
        return cls(**{name: None if text is None else Decimal(text) for name, text in texts.items()})


FIGURE_TAGS: Mapping[str, str] = {
    "available_funds": "AvailableFunds",
    "excess_liquidity": "ExcessLiquidity",
    "equity_with_loan": "EquityWithLoanValue",
    "gross_position_value": "GrossPositionValue",
    "total_cash": "TotalCashValue",
    "settled_cash": "SettledCash",
    "day_trades_remaining": "DayTradesRemaining",
    "overnight_funds": "FullAvailableFunds",
}
ACCOUNT_TAGS = ("NetLiquidation", "BuyingPower", *FIGURE_TAGS.values())
"""Every account value that decisions read, by the broker's name."""


NO_FIGURES = AccountFigures()


def kind_of(buying_power: Decimal | None, available_funds: Decimal | None) -> AccountKind | None:
    """Cash or margin, from what the broker lends on the same funds; None when that cannot be told.

    IB names no such thing in its account values. It defines buying power as available funds times 4 or 2 in a margin
    account and as those funds in a cash account.
    """
    if buying_power is None or available_funds is None or available_funds <= 0:
        return None
    return AccountKind.MARGIN if buying_power >= _LENT * available_funds else AccountKind.CASH
