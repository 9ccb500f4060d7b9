"""Trades as the ledger books them, and the holding that they make.

How a trade moves cash follows from its contract: stocks, options and crypto are paid in full, a future is carried (no
cash pays for the contract), a forex trade exchanges two currencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from htbot.domain.instruments import Contract, SecType
from htbot.domain.orders import Action

BASE_CURRENCY = "USD"
_ZERO = Decimal(0)
_SHARE_STEP = Decimal("0.000001")


class CashStyle(StrEnum):
    """How a trade moves cash."""

    PAID = "paid"
    CARRIED = "carried"
    EXCHANGED = "exchanged"


_STYLES = {
    SecType.FUTURE: CashStyle.CARRIED,
    SecType.CONTINUOUS_FUTURE: CashStyle.CARRIED,
    SecType.FOREX: CashStyle.EXCHANGED,
}
_SECURITIES = frozenset({SecType.STOCK, SecType.OPTION})


@dataclass(frozen=True, slots=True)
class Booking:
    """One trade as the ledger sees it; `quantity` unsigned, `price` per unit in `currency`, `commission` in USD.

    `base` is the currency that a forex trade buys or sells. `security` tells what settles on the next business day
    and counts for day trades (stocks and options), `ordered` that an order made the trade, not the broker by itself.
    """

    account: str
    con_id: int
    multiplier: int
    side: Action
    quantity: Decimal
    price: Decimal
    commission: Decimal
    currency: str = BASE_CURRENCY
    style: CashStyle = CashStyle.PAID
    base: str = ""
    security: bool = True
    ordered: bool = True

    @property
    def signed(self) -> Decimal:
        """Quantity with the sign of its side."""
        return self.quantity if self.side is Action.BUY else -self.quantity

    @property
    def notional(self) -> Decimal:
        """Price x multiplier x signed quantity, in the trade's currency."""
        return self.signed * self.price * self.multiplier

    @property
    def apart(self) -> Decimal:
        """The part of the commission that stands in no position's cost: of forex, and where the price is not in USD."""
        inside = self.style is not CashStyle.EXCHANGED and self.currency == BASE_CURRENCY
        return _ZERO if inside else self.commission

    @property
    def unsettled(self) -> Decimal:
        """What the trade brings in that settles on the next business day: the proceeds of a sale of securities."""
        sold = self.security and self.side is Action.SELL
        return -self.notional - self.commission + self.apart if sold else _ZERO


def booking(
    account: str, contract: Contract, side: Action, quantity: Decimal, price: Decimal, commission: Decimal
) -> Booking:
    """A trade of a contract: what kind of money it moves follows from the contract."""
    style = _STYLES.get(contract.sec_type, CashStyle.PAID)
    return Booking(
        account, contract.con_id, contract.multiplier, side, quantity, price, commission, contract.currency, style,
        contract.symbol if style is CashStyle.EXCHANGED else "", contract.sec_type in _SECURITIES,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stake:
    """A holding as trades made it, in its currency.

    `cost` is signed like the quantity (what was paid, or minus what was received), `carried` the part of the value
    that no cash has moved for, `realized` the profit after commissions of everything closed so far.
    """

    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO
    carried: Decimal = _ZERO
    realized: Decimal = _ZERO

    @property
    def flow(self) -> Decimal:
        """The cash that the trades behind this holding brought in, net."""
        return self.realized - self.cost + self.carried


def fold(held: Stake, trade: Booking) -> tuple[Stake, Decimal | None]:
    """A holding after one more trade, and what that realised; a trade through zero closes and opens."""
    signed = trade.signed
    flow = -trade.notional - trade.commission + trade.apart
    carried = trade.notional if trade.style is CashStyle.CARRIED else _ZERO
    if held.quantity == 0 or (held.quantity > 0) == (signed > 0):
        return Stake(held.quantity + signed, held.cost - flow, held.carried + carried, held.realized), None
    closing = min(abs(signed), abs(held.quantity))
    closing_flow = _share(flow, closing, abs(signed))
    cost = _share(held.cost, closing, abs(held.quantity))
    realized = closing_flow - cost
    after = Stake(
        held.quantity + signed,
        held.cost - cost - (flow - closing_flow),
        held.carried
        - _share(held.carried, closing, abs(held.quantity))
        + carried
        - _share(carried, closing, abs(signed)),
        held.realized + realized,
    )
    return after, realized


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return amount if part == whole else (amount * part / whole).quantize(_SHARE_STEP)


def reversal(trade: Booking) -> Booking:
    """The trade that takes another one back; it is no day trade."""
    side = Action.SELL if trade.side is Action.BUY else Action.BUY
    return Booking(
        trade.account, trade.con_id, trade.multiplier, side, trade.quantity, trade.price, -trade.commission,
        trade.currency, trade.style, trade.base, security=False, ordered=False,
    )  # fmt: skip


def booking_document(trade: Booking) -> list[Any]:
    """A trade as the store keeps it."""
    return [
        trade.account, trade.con_id, trade.multiplier, trade.side.value, str(trade.quantity), str(trade.price),
        str(trade.commission), trade.currency, trade.style.value, trade.base, trade.security, trade.ordered,
    ]  # fmt: skip


def booking_from(row: list[Any]) -> Booking:
    """The trade in a stored row."""
    account, con_id, multiplier, side, quantity, price, commission, currency, style, base, security, ordered = row
    return Booking(
        account, con_id, multiplier, Action(side), Decimal(quantity), Decimal(price), Decimal(commission), currency,
        CashStyle(style), base, security, ordered,
    )  # fmt: skip


def stake_document(stake: Stake) -> list[str]:
    """A holding as the store keeps it."""
    return [str(stake.quantity), str(stake.cost), str(stake.carried), str(stake.realized)]


def stake_from(row: list[str]) -> Stake:
    """The holding in a stored row."""
    quantity, cost, carried, realized = map(Decimal, row)
    return Stake(quantity, cost, carried, realized)
