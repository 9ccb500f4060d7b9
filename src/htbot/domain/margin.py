"""The what-if: an order that is shown to the broker and not placed, and the account as it would stand after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from htbot.domain.orders import Action, OrderIntent


@dataclass(frozen=True, slots=True)
class Share:
    """One leg of a combination: contract, units per combination, negative when sold, and whether it is an option."""

    con_id: int
    ratio: int
    option: bool = True


@dataclass(frozen=True, slots=True)
class MarginQuestion:
    """The very order that would be sent: account, combination, quantity and first limit (signed as IB)."""

    account: str
    symbol: str
    action: Action
    quantity: int
    limit: Decimal
    legs: tuple[Share, ...]

    @classmethod
    def of(cls, intent: OrderIntent) -> MarginQuestion:
        """What an intent would ask for."""
        legs = tuple(Share(leg.con_id, leg.ratio, leg.option) for leg in intent.legs)
        return cls(intent.account, intent.symbol, intent.action, intent.quantity, intent.limit, legs)

    def as_params(self) -> dict[str, object]:
        """As a data request carries it."""
        return {
            "account": self.account,
            "symbol": self.symbol,
            "action": self.action.value,
            "quantity": self.quantity,
            "limit": str(self.limit),
            "legs": [[leg.con_id, leg.ratio, leg.option] for leg in self.legs],
        }

    @classmethod
    def of_params(cls, raw: Mapping[str, Any]) -> MarginQuestion:
        """Back from a data request.

        Raises:
            KeyError, TypeError, ValueError, ArithmeticError: it is malformed.
        """
        return cls(
            account=str(raw["account"]),
            symbol=str(raw["symbol"]),
            action=Action(raw["action"]),
            quantity=int(raw["quantity"]),
            limit=Decimal(str(raw["limit"])),
            legs=tuple(Share(int(con_id), int(ratio), bool(option)) for con_id, ratio, option in raw["legs"]),
        )


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The account after the order, USD; None = the broker left it out.

    `rejected` is what the broker said when it would not take the order at all, `unknown` why there is no answer.
    """

    equity_with_loan_after: Decimal | None = None
    initial_margin_after: Decimal | None = None
    maintenance_margin_after: Decimal | None = None
    commission: Decimal | None = None
    rejected: str = ""
    unknown: str = ""

    @property
    def free_after(self) -> Decimal | None:
        """Equity with loan value less initial margin."""
        return _less(self.equity_with_loan_after, self.initial_margin_after)

    @property
    def excess_after(self) -> Decimal | None:
        """Equity with loan value less maintenance margin: excess liquidity."""
        return _less(self.equity_with_loan_after, self.maintenance_margin_after)

    def as_texts(self) -> dict[str, str | None]:
        """As a reply carries it."""
        amounts = {
            "equity_with_loan_after": self.equity_with_loan_after,
            "initial_margin_after": self.initial_margin_after,
            "maintenance_margin_after": self.maintenance_margin_after,
            "commission": self.commission,
        }
        told = {name: None if amount is None else str(amount) for name, amount in amounts.items()}
        return {**told, "rejected": self.rejected, "unknown": self.unknown}

    @classmethod
    def of_texts(cls, raw: Mapping[str, Any]) -> WhatIf:
        """Back from a reply.

        Raises:
            KeyError, ArithmeticError: it is malformed.
        """
        names = ("equity_with_loan_after", "initial_margin_after", "maintenance_margin_after", "commission")
        amounts = {name: None if raw[name] is None else Decimal(str(raw[name])) for name in names}
        return cls(**amounts, rejected=str(raw["rejected"]), unknown=str(raw["unknown"]))


def _less(whole: Decimal | None, part: Decimal | None) -> Decimal | None:
    return None if whole is None or part is None else whole - part
