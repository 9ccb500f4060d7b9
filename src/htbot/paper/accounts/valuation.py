"""What an account is worth and what it may still do: marks, money by currency, margin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from htbot.domain.instruments import SecType
from htbot.matching.fees import Plan
from htbot.matching.margin import (
    CURRENCY_HAIRCUT,
    Holding,
    Requirement,
    beyond_cash,
    cash_requirement,
    naked_shorts,
    requirement,
)
from htbot.paper.accounts.bookings import BASE_CURRENCY, Booking, CashStyle
from htbot.paper.accounts.ledger import HeldPosition, Ledger
from htbot.paper.accounts.rates import Rates
from htbot.paper.contracts import ContractDesk
from htbot.paper.prices import Prices

_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_DAY_TRADING_LEVERAGE, _LEVERAGE = 4, 2
DAY_TRADING_EQUITY = Decimal(25_000)
"""Equity from which a margin account may day-trade without limit (FINRA rule 4210(f)(8)(B)(iv))."""


class AccountKind(StrEnum):
    """What an account may do with borrowed money."""

    MARGIN = "margin"
    CASH = "cash"


@dataclass(frozen=True, slots=True)
class Mark:
    """A position at its mark, money in the contract's currency; `known` is false when it has no price."""

    price: Decimal
    value: Decimal
    unrealized: Decimal
    daily: Decimal
    known: bool = True


@dataclass(slots=True)
class CurrencyRow:
    """What an account has in one currency; `future` is the profit of futures that is not settled yet."""

    cash: Decimal = _ZERO
    stock: Decimal = _ZERO
    option: Decimal = _ZERO
    future: Decimal = _ZERO
    crypto: Decimal = _ZERO
    realized: Decimal = _ZERO
    unrealized: Decimal = _ZERO

    @property
    def net(self) -> Decimal:
        """Cash and everything held at its mark."""
        return self.cash + self.stock + self.option + self.future + self.crypto

    def add(self, other: CurrencyRow, rate: Decimal) -> None:
        """Add another row at an exchange rate."""
        self.cash += other.cash * rate
        self.stock += other.stock * rate
        self.option += other.option * rate
        self.future += other.future * rate
        self.crypto += other.crypto * rate
        self.realized += other.realized * rate
        self.unrealized += other.unrealized * rate


_COLUMNS = {
    SecType.STOCK: "stock",
    SecType.OPTION: "option",
    SecType.FUTURE: "future",
    SecType.CONTINUOUS_FUTURE: "future",
    SecType.CRYPTO: "crypto",
}


@dataclass(frozen=True, slots=True)
class AccountValuation:
    """An account at one instant: all in USD, and its rows by currency in that currency.

    `intraday` tells that a day-trading account may open against maintenance margin now.
    """

    total: CurrencyRow
    rows: dict[str, CurrencyRow]
    rates: dict[str, Decimal]
    kind: AccountKind
    settled_cash: Decimal
    gross_value: Decimal
    requirement: Requirement
    futures_requirement: Requirement
    intraday: bool
    day_equity: Decimal
    day_loan_equity: Decimal
    day_trades: tuple[int, ...] = field(default=(0,))

    @property
    def net_liquidation(self) -> Decimal:
        """Cash and everything held at its mark."""
        return self.total.net

    @property
    def daily(self) -> Decimal:
        """Profit since the last close."""
        return self.net_liquidation - self.day_equity

    @property
    def equity_with_loan(self) -> Decimal:
        """What may carry a loan: options have no loan value under Regulation T, a cash account has its settled cash."""
        if self.kind is AccountKind.CASH:
            return self.settled_cash
        return self.net_liquidation - self.total.option

    @property
    def initial(self) -> Decimal:
        """The margin that a new position takes now."""
        return self.requirement.intraday if self.intraday else self.requirement.initial

    @property
    def available_funds(self) -> Decimal:
        """What may still be tied up as initial margin."""
        return self.equity_with_loan - self.initial

    @property
    def overnight_funds(self) -> Decimal:
        """The same when the day is over."""
        return self.equity_with_loan - self.requirement.initial

    @property
    def excess_liquidity(self) -> Decimal:
        """What is left above maintenance margin."""
        return self.equity_with_loan - self.requirement.maintenance

    @property
    def buying_power(self) -> Decimal:
        """Stock that could be bought: four times the available funds by day, twice at other times, never negative."""
        funds = max(_ZERO, self.available_funds)
        if self.kind is AccountKind.CASH:
            return funds
        return funds * (_DAY_TRADING_LEVERAGE if self.intraday else _LEVERAGE)

    def day_trades_left(self, days_ahead: int = 0) -> int:
        """Day trades before the account counts as a pattern day trader; -1 = any number."""
        if self.kind is AccountKind.CASH or self.net_liquidation >= DAY_TRADING_EQUITY:
            return -1
        return max(0, 3 - sum(self.day_trades[days_ahead - 5 :]))


@dataclass(frozen=True, slots=True)
class AccountRules:
    """How the broker treats its accounts: kinds by account (margin where none is named), permissions, price plan."""

    kinds: Mapping[str, AccountKind] = field(default_factory=dict)
    naked_options: bool = True
    plan: Plan = Plan.FIXED

    def kind(self, account: str) -> AccountKind:
        """Margin, unless the account was made a cash account."""
        return self.kinds.get(account, AccountKind.MARGIN)


@dataclass(frozen=True, slots=True)
class BrokerTerms:
    """What is agreed for a login: one kind for all of its accounts or one for each, permissions, price plan."""

    kinds: tuple[AccountKind, ...] = (AccountKind.MARGIN,)
    naked_options: bool = True
    plan: Plan = Plan.FIXED

    def rules(self, accounts: Sequence[str]) -> AccountRules:
        """The same for accounts by name."""
        kinds = self.kinds * len(accounts) if len(self.kinds) == 1 else self.kinds
        return AccountRules(dict(zip(accounts, kinds, strict=False)), self.naked_options, self.plan)


class Valuer:
    """Values accounts at the present instant; an answer holds until the time or the books move."""

    def __init__(
        self, ledger: Ledger, contracts: ContractDesk, prices: Prices, rules: AccountRules | None = None
    ) -> None:
        self.rules = rules or AccountRules()
        self.rates = Rates(prices)
        self._ledger = ledger
        self._contracts = contracts
        self._prices = prices
        self._known: dict[str, AccountValuation] = {}
        self._known_at: tuple[int, datetime] | None = None

    def mark(self, position: HeldPosition) -> Mark:
        """The position at its mark; without any price it stands at cost."""
        price = self._prices.mark(position.con_id)
        known = price is not None
        if price is None:
            value = position.cost
            price = position.average_cost / position.multiplier
        else:
            value = price * position.multiplier * position.quantity
        daily = value - position.now.carried - position.day_base + position.day_flow
        return Mark(price, value, value - position.cost, daily, known)

    def price(self, con_id: int) -> Decimal | None:
        """The mark of a contract in its currency, None without a price."""
        return self._prices.mark(con_id)

    def value(self, account: str, trades: Sequence[Booking] = ()) -> AccountValuation:
        """The account now, or as it would stand after `trades`."""
        if trades:
            return self._value(account, trades)
        state = (self._ledger.version, self._prices.at)
        if state != self._known_at:
            self._known.clear()
            self._known_at = state
        known = self._known.get(account)
        if known is None:
            known = self._known[account] = self._value(account, ())
        return known

    def holdings(self, account: str, trades: Sequence[Booking] = ()) -> list[Holding]:
        """The account's positions for the margin rules, with `trades` added; forex is money, not a position."""
        quantities = {
            position.con_id: position.quantity
            for position in self._ledger.held(account)
            if position.style is not CashStyle.EXCHANGED
        }
        for trade in trades:
            if trade.style is not CashStyle.EXCHANGED:
                quantities[trade.con_id] = quantities.get(trade.con_id, _ZERO) + trade.signed
        return [self._holding(con_id, quantity) for con_id, quantity in sorted(quantities.items()) if quantity]

    def has_new_naked_short(self, account: str, trades: Sequence[Booking]) -> bool:
        """Whether `trades` would leave more that is short without cover than there is now."""
        is_cash = self.rules.kind(account) is AccountKind.CASH
        uncovered = beyond_cash if is_cash else naked_shorts
        after = self.holdings(account, trades)
        if not any(held.quantity < 0 and (is_cash or held.sec_type is SecType.OPTION) for held in after):
            return False

        def total(shorts: Iterable[Holding]) -> Decimal:
            return sum((-short.quantity for short in shorts), _ZERO)

        return total(uncovered(after)) > total(uncovered(self.holdings(account)))

    def units(self, account: str, trade: Booking) -> Decimal:
        """What the account would hold of a contract after a trade."""
        position = self._ledger.positions.get((account, trade.con_id))
        return trade.signed if position is None else position.quantity + trade.signed

    def opens(self, account: str, trades: Sequence[Booking]) -> bool:
        """Whether a trade would open or add to a position."""
        positions = self._ledger.positions
        held = (positions.get((account, trade.con_id)) for trade in trades)
        return any(
            position is None or position.quantity * trade.signed >= 0
            for position, trade in zip(held, trades, strict=True)
        )

    def _value(self, account: str, trades: Sequence[Booking]) -> AccountValuation:
        row = self._ledger.accounts[account]
        rows = self._rows(account, trades)
        total = CurrencyRow()
        rates = {}
        abroad = _ZERO
        for currency, part in rows.items():
            rate = self.rates.usd(currency)
            if rate is not None:
                rates[currency] = rate
                total.add(part, rate)
                abroad += abs(part.net * rate) if currency != BASE_CURRENCY else _ZERO
        holdings = self.holdings(account, trades)
        cash_account = self.rules.kind(account) is AccountKind.CASH
        needed = cash_requirement(holdings) if cash_account else requirement(holdings, self._usd_price)
        futures = [held for held in holdings if _COLUMNS.get(held.sec_type) == "future"]
        for_futures = requirement(futures, self._usd_price) if futures else Requirement()
        if cash_account:
            needed += for_futures
        elif abroad:
            haircut = CURRENCY_HAIRCUT * abroad
            needed += Requirement(haircut, haircut, haircut)
        sales = [*row.unsettled.items(), *((trade.currency, trade.unsettled) for trade in trades)]
        unsettled = sum((self.rates.in_usd(name, amount) for name, amount in sales), _ZERO)
        return AccountValuation(
            total=total,
            rows=rows,
            rates=rates,
            kind=self.rules.kind(account),
            settled_cash=total.cash - unsettled,
            gross_value=self._gross(holdings),
            requirement=needed,
            futures_requirement=for_futures,
            intraday=not cash_account and total.net >= DAY_TRADING_EQUITY and self._is_day(),
            day_equity=row.day_equity,
            day_loan_equity=row.day_loan_equity,
            day_trades=tuple(row.day_trades),
        )

    def _is_day(self) -> bool:
        session = self._prices.market.sessions.at(self._prices.at)
        return session is not None and session.contains(self._prices.at)

    def _rows(self, account: str, trades: Sequence[Booking]) -> dict[str, CurrencyRow]:
        rows = {name: CurrencyRow(cash=amount) for name, amount in self._ledger.accounts[account].cash.items()}
        for position in self._ledger.active(account):
            row = rows.setdefault(position.currency, CurrencyRow())
            row.realized += position.day_realized
            if position.quantity and position.style is not CashStyle.EXCHANGED:
                mark = self.mark(position)
                self._add(row, position.con_id, mark.value - position.now.carried)
                row.unrealized += mark.unrealized
        for trade in trades:
            row = rows.setdefault(trade.currency, CurrencyRow())
            rows[BASE_CURRENCY].cash -= trade.commission
            if trade.style is CashStyle.CARRIED:
                continue
            row.cash -= trade.notional
            if trade.style is CashStyle.EXCHANGED:
                rows.setdefault(trade.base, CurrencyRow()).cash += trade.signed
            else:
                self._add(row, trade.con_id, self._price(trade.con_id) * trade.multiplier * trade.signed)
        return rows

    def _add(self, row: CurrencyRow, con_id: int, amount: Decimal) -> None:
        column = _COLUMNS.get(self._contracts.contract(con_id).sec_type, "option")
        setattr(row, column, getattr(row, column) + amount)

    def _gross(self, holdings: Iterable[Holding]) -> Decimal:
        """Absolute values of stocks, options and crypto; futures have no value of their own."""
        worth = (
            abs(self._usd_price(held.con_id) * held.units)
            for held in holdings
            if _COLUMNS.get(held.sec_type) != "future"
        )
        return sum(worth, _ZERO)

    def _price(self, con_id: int) -> Decimal:
        return self._prices.mark(con_id) or _ZERO

    def _usd_price(self, con_id: int) -> Decimal:
        return self.rates.in_usd(self._contracts.contract(con_id).currency, self._price(con_id))

    def _holding(self, con_id: int, quantity: Decimal) -> Holding:
        details = self._contracts.known(con_id)
        contract = details.contract
        return Holding(
            con_id=con_id,
            symbol=contract.symbol,
            sec_type=contract.sec_type,
            quantity=quantity,
            multiplier=contract.multiplier,
            underlying_id=details.under_con_id,
            expiry=contract.expiry or date.max,
            strike=contract.strike or _ZERO,
            right=contract.right,
            on_index=details.under_sec_type == SecType.INDEX.value,
        )


def money(amount: Decimal) -> str:
    """An amount as account values carry it; a loss below half a cent is zero, not minus zero."""
    return str(amount.quantize(_CENT, ROUND_HALF_UP) + 0)
