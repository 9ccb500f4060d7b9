"""Cash and positions of the gateway's accounts, exact to the cent.

Every trade moves the cash of its currency by what follows from its position alone, so that at any time, for each
account and currency:

    cash = starting cash + realised profit - cost of what is held + what is carried without cash + forex received - fees

The cost of a position includes its commissions, as IB's average cost does. Futures are carried: no cash pays for the
contract, only the daily settlement (variation margin) and the commission move cash. A forex trade exchanges two
currencies; the position that it leaves is IB's virtual one, which the balances already hold. Commissions are in USD:
those of forex, and of contracts that are priced in another currency, are kept apart as fees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from htbot.paper.accounts.bookings import (
    BASE_CURRENCY,
    Booking,
    CashStyle,
    Stake,
    booking_document,
    booking_from,
    fold,
    reversal,
    stake_document,
    stake_from,
)
from htbot.paper.store import Store

_ZERO = Decimal(0)
_DAYS_OF_DAY_TRADES = 5


@dataclass(slots=True)
class HeldPosition:
    """Net holding of one contract in `currency`.

    `opening` is the stake when the day began and `day_base` what it was worth then beyond what it carried: with the
    cash that flowed since they make the daily profit. `fresh` is true while the last trade today opened or added.
    """

    account: str
    con_id: int
    multiplier: int
    currency: str = BASE_CURRENCY
    style: CashStyle = CashStyle.PAID
    now: Stake = field(default_factory=Stake)
    opening: Stake = field(default_factory=Stake)
    day_base: Decimal = _ZERO
    fresh: bool = False

    @property
    def quantity(self) -> Decimal:
        """Units held, negative when short."""
        return self.now.quantity

    @property
    def cost(self) -> Decimal:
        """What the holding cost with commissions, signed like the quantity."""
        return self.now.cost

    @property
    def realized(self) -> Decimal:
        """Profit realised so far, after commissions."""
        return self.now.realized

    @property
    def day_realized(self) -> Decimal:
        """Profit realised since the day began."""
        return self.now.realized - self.opening.realized

    @property
    def day_flow(self) -> Decimal:
        """Cash that flowed since the day began."""
        return self.now.flow - self.opening.flow

    @property
    def average_cost(self) -> Decimal:
        """Cost per contract: price x multiplier with commissions, 0 when flat."""
        return self.cost / self.quantity if self.quantity else _ZERO


@dataclass(slots=True)
class CashAccount:
    """Cash of one account by currency.

    `unsettled` are today's sales by currency: they settle when the next day begins (T+1). `fees` are commissions in
    USD that stand in no position's cost. `day_trades` counts round trips of one day for the last five days, today last.
    `day_equity` and `day_loan_equity` are its net liquidation and equity with loan value in USD at the last close.
    """

    account: str
    starting: Decimal
    day_equity: Decimal
    day_loan_equity: Decimal
    cash: dict[str, Decimal]
    unsettled: dict[str, Decimal] = field(default_factory=dict)
    fees: Decimal = _ZERO
    day_trades: list[int] = field(default_factory=lambda: [0])

    @property
    def cash_usd(self) -> Decimal:
        """The balance in USD alone."""
        return self.cash[BASE_CURRENCY]

    def add(self, currency: str, amount: Decimal) -> None:
        """Move cash."""
        if amount:
            self.cash[currency] = self.cash.get(currency, _ZERO) + amount


class Ledger:
    """Positions and cash, kept in the store. `version` grows with every change."""

    def __init__(self, store: Store, accounts: Iterable[str], cash_usd: Decimal) -> None:
        self._store = store
        self.version = 0
        self.positions: dict[tuple[str, int], HeldPosition] = {}
        self.accounts: dict[str, CashAccount] = {}
        self.touched: dict[tuple[str, int], None] = {}
        self._active: dict[str, dict[int, HeldPosition]] = {}
        self._trades: dict[tuple[str, int], list[Booking]] = {}
        for document in store.accounts():
            account = _account_from(document)
            self.accounts[account.account] = account
        for document in store.positions():
            self._keep(_position_from(document))
        for row in store.bookings():
            trade = booking_from(row)
            self._trades.setdefault((trade.account, trade.con_id), []).append(trade)
        for name in accounts:
            self.open(name, cash_usd)

    def open(self, account: str, cash_usd: Decimal) -> None:
        """Open an account with cash, unless it is there already."""
        if account not in self.accounts:
            self.accounts[account] = CashAccount(account, cash_usd, cash_usd, cash_usd, {BASE_CURRENCY: cash_usd})
            self._save_account(account)

    def held(self, account: str) -> list[HeldPosition]:
        """Open positions of an account, by contract id."""
        return [position for position in self.active(account) if position.quantity]

    def active(self, account: str) -> list[HeldPosition]:
        """Positions that are open or were touched since the day began, by contract id."""
        return [position for _con_id, position in sorted(self._active.get(account, {}).items())]

    def of(self, account: str) -> list[HeldPosition]:
        """Every position that an account ever had, by contract id."""
        return [position for key, position in sorted(self.positions.items()) if key[0] == account]

    def book(self, trade: Booking) -> Decimal | None:
        """Apply a trade; the profit it realised after commissions, or None when it only opened."""
        position = self._position(trade)
        account = self.accounts[trade.account]
        self._count_day_trade(account, position, trade)
        before = position.now
        position.now, realized = fold(before, trade)
        _move_cash(account, trade, position.now.flow - before.flow, 1)
        self._trades.setdefault((trade.account, trade.con_id), []).append(trade)
        self._store.put_booking(trade.account, trade.con_id, booking_document(trade))
        self._changed(position)
        return realized

    def correct(self, wrong: Booking, right: Booking | None) -> None:
        """Put a trade of today right (or bust it: None): the books stand as if the wrong one had never been.

        A trade of an earlier day is reversed at its price and the right one booked anew: cash and quantity are
        exact, the profit it made falls into today.
        """
        key = (wrong.account, wrong.con_id)
        trades = self._trades.get(key, [])
        if wrong not in trades:
            self.book(reversal(wrong))
            if right is not None:
                self.book(right)
            return
        place = len(trades) - 1 - trades[::-1].index(wrong)
        trades[place : place + 1] = [] if right is None else [right]
        position = self.positions[key]
        account = self.accounts[wrong.account]
        before, after = position.now, position.opening
        for trade in trades:
            after, _realized = fold(after, trade)
        position.now = after
        _move_cash(account, wrong, after.flow - before.flow, -1)
        if right is not None:
            _move_cash(account, right, _ZERO, 1)
        self._store.replace_bookings(*key, [booking_document(trade) for trade in trades])
        self._changed(position)

    def close_day(
        self, account: str, equity_usd: Decimal, loan_equity_usd: Decimal, values: Mapping[int, Decimal]
    ) -> None:
        """Begin a new day: sales settle, futures are settled at their `values` (by contract id, in their currency).

        The account's equity and the value of each position become the base of the next day's profit.
        """
        row = self.accounts[account]
        row.day_equity, row.day_loan_equity = equity_usd, loan_equity_usd
        row.unsettled.clear()
        row.day_trades = [*row.day_trades, 0][-_DAYS_OF_DAY_TRADES:]
        for position in self.active(account):
            if position.style is CashStyle.CARRIED and position.con_id in values:
                self._settle(row, position, values[position.con_id])
            position.day_base = values.get(position.con_id, _ZERO) - position.now.carried
            position.opening = position.now
            position.fresh = False
            self._trades.pop((account, position.con_id), None)
            self._save_position(position)
            if not position.quantity:
                del self._active[account][position.con_id]
        self._store.forget_bookings(account)
        self._save_account(account)
        self.version += 1

    def _settle(self, account: CashAccount, position: HeldPosition, value: Decimal) -> None:
        """Pay the variation margin of a future: what it is worth beyond what is carried becomes cash."""
        stake = position.now
        account.add(position.currency, value - stake.carried)
        position.now = Stake(stake.quantity, stake.cost, value, stake.realized)

    def _position(self, trade: Booking) -> HeldPosition:
        found = self.positions.get((trade.account, trade.con_id))
        if found is None:
            key = (trade.account, trade.con_id)
            found = self.positions[key] = HeldPosition(*key, trade.multiplier, trade.currency, trade.style)
        return found

    def _keep(self, position: HeldPosition) -> None:
        self.positions[position.account, position.con_id] = position
        if position.quantity or position.now != position.opening:
            self._active.setdefault(position.account, {})[position.con_id] = position

    def _count_day_trade(self, account: CashAccount, position: HeldPosition, trade: Booking) -> None:
        """A closing trade after one that opened today is a day trade, once a change of direction (FINRA 4210(f)(8))."""
        if not (trade.security and trade.ordered):
            return
        opens = position.quantity == 0 or (position.quantity > 0) == (trade.signed > 0)
        if not opens and position.fresh:
            account.day_trades[-1] += 1
        position.fresh = opens or abs(trade.signed) > abs(position.quantity)

    def _changed(self, position: HeldPosition) -> None:
        self.version += 1
        self._keep(position)
        self.touched[position.account, position.con_id] = None
        self._save_account(position.account)
        self._save_position(position)

    def _save_account(self, account: str) -> None:
        self._store.put_account(_account_document(self.accounts[account]))

    def _save_position(self, position: HeldPosition) -> None:
        self._store.put_position(_position_document(position))


def _move_cash(account: CashAccount, trade: Booking, flow: Decimal, times: int) -> None:
    """Move what a position's change brings in; `times` -1 takes back what the trade moved besides."""
    account.add(trade.currency, flow)
    account.add(BASE_CURRENCY, -times * trade.apart)
    account.fees += times * trade.apart
    if trade.style is CashStyle.EXCHANGED:
        account.add(trade.base, times * trade.signed)
    if trade.unsettled:
        unsettled = account.unsettled.get(trade.currency, _ZERO) + times * trade.unsettled
        account.unsettled[trade.currency] = unsettled


# --- rows of the store --------------------------------------------------------------------------------------------


def _position_document(position: HeldPosition) -> dict[str, Any]:
    return {
        "account": position.account,
        "con_id": position.con_id,
        "multiplier": position.multiplier,
        "currency": position.currency,
        "style": position.style.value,
        "now": stake_document(position.now),
        "opening": stake_document(position.opening),
        "day_base": str(position.day_base),
        "fresh": position.fresh,
    }


def _position_from(row: dict[str, Any]) -> HeldPosition:
    return HeldPosition(
        row["account"], row["con_id"], row["multiplier"], row["currency"], CashStyle(row["style"]),
        stake_from(row["now"]), stake_from(row["opening"]), Decimal(row["day_base"]), row["fresh"],
    )  # fmt: skip


def _account_document(account: CashAccount) -> dict[str, Any]:
    return {
        "account": account.account,
        "starting": str(account.starting),
        "day_equity": str(account.day_equity),
        "day_loan_equity": str(account.day_loan_equity),
        "cash": {currency: str(amount) for currency, amount in account.cash.items()},
        "unsettled": {currency: str(amount) for currency, amount in account.unsettled.items()},
        "fees": str(account.fees),
        "day_trades": account.day_trades,
    }


def _account_from(row: dict[str, Any]) -> CashAccount:
    return CashAccount(
        row["account"],
        Decimal(row["starting"]),
        Decimal(row["day_equity"]),
        Decimal(row["day_loan_equity"]),
        {currency: Decimal(amount) for currency, amount in row["cash"].items()},
        {currency: Decimal(amount) for currency, amount in row["unsettled"].items()},
        Decimal(row["fees"]),
        list(row["day_trades"]),
    )
