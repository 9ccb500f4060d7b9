"""Cash and positions of the gateway's accounts, exact to the cent.

Cost includes commissions, as IB's average cost does. At any time, for each account:
cash = starting cash + realised profit of all positions - cost of what is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, TypeVar

from htbot.domain.orders import Action
from htbot.paper.store import Store

_CENT_FRACTION = Decimal("0.000001")
_Row = TypeVar("_Row")


@dataclass(slots=True)
class HeldPosition:
    """Net holding of one contract. `cost_usd` is signed like the quantity (what was paid, or minus what was received).

    `day_base_usd` is the market value at the last close, `day_flow_usd` the cash that flowed since, `day_realized_usd`
    the profit realised since: together they make the daily profit of the position.
    """

    account: str
    con_id: int
    multiplier: int
    quantity: int = 0
    cost_usd: Decimal = Decimal(0)
    realized_usd: Decimal = Decimal(0)
    day_base_usd: Decimal = Decimal(0)
    day_flow_usd: Decimal = Decimal(0)
    day_realized_usd: Decimal = Decimal(0)

    @property
    def average_cost(self) -> Decimal:
        """Cost per contract: price x multiplier with commissions, 0 when flat."""
        return self.cost_usd / self.quantity if self.quantity else Decimal(0)


@dataclass(slots=True)
class CashAccount:
    """Cash of one account; `day_equity_usd` is its net liquidation at the last close."""

    account: str
    starting_usd: Decimal
    cash_usd: Decimal
    day_equity_usd: Decimal


@dataclass(frozen=True, slots=True)
class Booking:
    """One trade as the ledger sees it; `quantity` unsigned, `price` per unit, `commission` in USD."""

    account: str
    con_id: int
    multiplier: int
    side: Action
    quantity: int
    price: Decimal
    commission: Decimal


class Ledger:
    """Positions and cash, kept in the store."""

    def __init__(self, store: Store, accounts: Iterable[str], cash_usd: Decimal) -> None:
        self._store = store
        self.positions: dict[tuple[str, int], HeldPosition] = {}
        self.accounts: dict[str, CashAccount] = {}
        self.touched: dict[tuple[str, int], None] = {}
        for document in store.accounts():
            account = _restore(CashAccount, document)
            self.accounts[account.account] = account
        for document in store.positions():
            position = _restore(HeldPosition, document)
            self.positions[position.account, position.con_id] = position
        for name in accounts:
            if name not in self.accounts:
                self.accounts[name] = CashAccount(name, cash_usd, cash_usd, cash_usd)
                self._save_account(name)

    def held(self, account: str) -> list[HeldPosition]:
        """Open positions of an account, by contract id."""
        return [position for key, position in sorted(self.positions.items()) if key[0] == account and position.quantity]

    def of(self, account: str) -> list[HeldPosition]:
        """Every position row of an account, flat ones of this session included."""
        return [position for key, position in sorted(self.positions.items()) if key[0] == account]

    def book(self, trade: Booking) -> Decimal | None:
        """Apply a trade; the profit it realised after commissions, or None when it only opened."""
        key = (trade.account, trade.con_id)
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = HeldPosition(trade.account, trade.con_id, trade.multiplier)
        signed = trade.quantity if trade.side is Action.BUY else -trade.quantity
        flow = -signed * trade.price * trade.multiplier - trade.commission
        realized = _fold(position, signed, flow)
        position.day_flow_usd += flow
        self.accounts[trade.account].cash_usd += flow
        self.touched[key] = None
        self._save_account(trade.account)
        self._save_position(position)
        return realized

    def close_day(self, account: str, equity_usd: Decimal, values_usd: dict[int, Decimal]) -> None:
        """Begin a new day for an account: its net liquidation and the value of each position become the base."""
        self.accounts[account].day_equity_usd = equity_usd
        self._save_account(account)
        for position in self.of(account):
            position.day_base_usd = values_usd.get(position.con_id, Decimal(0))
            position.day_flow_usd = Decimal(0)
            position.day_realized_usd = Decimal(0)
            self._save_position(position)

    def _save_account(self, account: str) -> None:
        self._store.put_account(_document(self.accounts[account]))

    def _save_position(self, position: HeldPosition) -> None:
        self._store.put_position(_document(position))


def _fold(position: HeldPosition, signed: int, flow: Decimal) -> Decimal | None:
    held = position.quantity
    if held == 0 or (held > 0) == (signed > 0):
        position.quantity += signed
        position.cost_usd -= flow
        return None
    closing = min(abs(signed), abs(held))
    closing_flow = flow if closing == abs(signed) else (flow * closing / abs(signed)).quantize(_CENT_FRACTION)
    cost = position.cost_usd if closing == abs(held) else _share(position.cost_usd, closing, abs(held))
    realized = closing_flow - cost
    position.cost_usd -= cost
    position.cost_usd -= flow - closing_flow
    position.quantity += signed
    position.realized_usd += realized
    position.day_realized_usd += realized
    return realized


def _share(amount: Decimal, part: int, whole: int) -> Decimal:
    return (amount * part / whole).quantize(_CENT_FRACTION)


def _document(row: HeldPosition | CashAccount) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Decimal) else value for key, value in asdict(row).items()}


def _restore(kind: type[_Row], document: dict[str, Any]) -> _Row:
    return kind(**{key: Decimal(value) if key.endswith("_usd") else value for key, value in document.items()})
