"""What an account is worth and what it may still do: marks, margin, and the account values that IB reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from htbot.domain.instruments import SecType
from htbot.domain.orders import Action
from htbot.matching.margin import Holding, Requirement, naked_shorts, requirement
from htbot.paper.contracts import ContractDesk
from htbot.paper.ledger import HeldPosition, Ledger
from htbot.paper.prices import Prices

_CENT = Decimal("0.01")
_DAY_TRADING_LEVERAGE = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """A position at its mark."""

    price: Decimal
    value_usd: Decimal
    unrealized_usd: Decimal
    daily_usd: Decimal


@dataclass(frozen=True, slots=True)
class AccountValuation:
    """An account at one instant, in USD."""

    cash: Decimal
    stock_value: Decimal
    option_value: Decimal
    gross_value: Decimal
    requirement: Requirement
    realized_day: Decimal
    unrealized: Decimal
    daily: Decimal

    @property
    def net_liquidation(self) -> Decimal:
        """Cash and everything held at its mark."""
        return self.cash + self.stock_value + self.option_value

    @property
    def equity_with_loan(self) -> Decimal:
        """Cash and stocks: options have no loan value under Regulation T."""
        return self.cash + self.stock_value

    @property
    def available_funds(self) -> Decimal:
        """What may still be tied up as initial margin."""
        return self.equity_with_loan - self.requirement.initial

    @property
    def excess_liquidity(self) -> Decimal:
        """What is left above maintenance margin."""
        return self.equity_with_loan - self.requirement.maintenance

    @property
    def buying_power(self) -> Decimal:
        """Stock that could be bought: four times the available funds, never negative."""
        return max(Decimal(0), self.available_funds) * _DAY_TRADING_LEVERAGE


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A trade that has not happened: signed quantity and cash flow of one contract."""

    con_id: int
    quantity: Decimal
    flow_usd: Decimal


class Valuer:
    """Values accounts at the present instant."""

    def __init__(self, ledger: Ledger, contracts: ContractDesk, prices: Prices) -> None:
        self._ledger = ledger
        self._contracts = contracts
        self._prices = prices

    def mark(self, position: HeldPosition) -> Mark:
        """The position at its mark; without any price it stands at cost."""
        price = self._prices.mark(position.con_id)
        if price is None:
            value = position.cost
            price = position.average_cost / position.multiplier
        else:
            value = price * position.multiplier * position.quantity
        daily = value - position.day_base + position.day_flow
        return Mark(price, value, value - position.cost, daily)

    def value(self, account: str, trades: Sequence[Hypothesis] = ()) -> AccountValuation:
        """The account now, or as it would stand after `trades`."""
        cash = self._ledger.accounts[account].cash_usd + sum((trade.flow_usd for trade in trades), Decimal(0))
        stock = option = gross = unrealized = Decimal(0)
        holdings = self.holdings(account, trades)
        marks = {position.con_id: self.mark(position) for position in self._ledger.held(account)}
        for holding in holdings:
            worth = self._price(holding.con_id) * holding.multiplier * holding.quantity
            if holding.sec_type is SecType.STOCK:
                stock += worth
            else:
                option += worth
            gross += abs(worth)
        for mark in marks.values():
            unrealized += mark.unrealized_usd
        rows = self._ledger.of(account)
        realized = sum((row.day_realized for row in rows), Decimal(0))
        daily = cash + stock + option - self._ledger.accounts[account].day_equity
        needed = requirement(holdings, self._price)
        return AccountValuation(cash, stock, option, gross, needed, realized, unrealized, daily)

    def holdings(self, account: str, trades: Sequence[Hypothesis] = ()) -> list[Holding]:
        """The account's positions for the margin rules, with `trades` added."""
        quantities = {position.con_id: position.quantity for position in self._ledger.held(account)}
        for trade in trades:
            quantities[trade.con_id] = quantities.get(trade.con_id, Decimal(0)) + trade.quantity
        return [self._holding(con_id, quantity) for con_id, quantity in sorted(quantities.items()) if quantity]

    def has_new_naked_short(self, account: str, trades: Sequence[Hypothesis]) -> bool:
        """Whether `trades` would leave more uncovered short options than there are now."""

        def total(shorts: Iterable[Holding]) -> Decimal:
            return sum((-short.quantity for short in shorts), Decimal(0))

        before = total(naked_shorts(self.holdings(account)))
        return total(naked_shorts(self.holdings(account, trades))) > before

    def _price(self, con_id: int) -> Decimal:
        return self._prices.mark(con_id) or Decimal(0)

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
            strike=contract.strike or Decimal(0),
            right=contract.right,
        )


def money(amount: Decimal) -> str:
    """An amount as account values carry it."""
    return str(amount.quantize(_CENT, ROUND_HALF_UP))


def signed(side: Action, quantity: Decimal) -> Decimal:
    """Quantity with the sign of its side."""
    return quantity if side is Action.BUY else -quantity


def account_values(valuation: AccountValuation) -> dict[str, str]:
    """The account values and summary tags that stand in USD."""
    v = valuation
    amounts = {
        "NetLiquidation": v.net_liquidation,
        "TotalCashValue": v.cash,
        "SettledCash": v.cash,
        "AccruedCash": Decimal(0),
        "BuyingPower": v.buying_power,
        "EquityWithLoanValue": v.equity_with_loan,
        "PreviousDayEquityWithLoanValue": v.net_liquidation - v.daily,
        "PreviousEquityWithLoanValue": v.net_liquidation - v.daily,
        "GrossPositionValue": v.gross_value,
        "RegTEquity": v.equity_with_loan,
        "RegTMargin": v.requirement.initial,
        "ReqTEquity": v.equity_with_loan,
        "ReqTMargin": v.requirement.initial,
        "SMA": v.available_funds,
        "InitMarginReq": v.requirement.initial,
        "MaintMarginReq": v.requirement.maintenance,
        "AvailableFunds": v.available_funds,
        "ExcessLiquidity": v.excess_liquidity,
        "FullInitMarginReq": v.requirement.initial,
        "FullMaintMarginReq": v.requirement.maintenance,
        "FullAvailableFunds": v.available_funds,
        "FullExcessLiquidity": v.excess_liquidity,
        "LookAheadInitMarginReq": v.requirement.initial,
        "LookAheadMaintMarginReq": v.requirement.maintenance,
        "LookAheadAvailableFunds": v.available_funds,
        "LookAheadExcessLiquidity": v.excess_liquidity,
        "StockMarketValue": v.stock_value,
        "OptionMarketValue": v.option_value,
        "CashBalance": v.cash,
        "TotalCashBalance": v.cash,
        "NetLiquidationByCurrency": v.net_liquidation,
        "UnrealizedPnL": v.unrealized,
        "RealizedPnL": v.realized_day,
    }
    return {key: money(amount) for key, amount in amounts.items()}


def plain_values(valuation: AccountValuation) -> dict[str, str]:
    """The account values that have no currency."""
    net = valuation.net_liquidation
    cushion = valuation.excess_liquidity / net if net > 0 else Decimal(0)
    leverage = valuation.gross_value / net if net > 0 else Decimal(0)
    return {
        "AccountReady": "true",
        "AccountType": "INDIVIDUAL",
        "Cushion": str(cushion.quantize(Decimal("0.000001"))),
        "DayTradesRemaining": "-1",
        "HighestSeverity": "0",
        "Leverage": str(leverage.quantize(_CENT)),
        "LookAheadNextChange": "0",
        "TradingType-S": "STKNOPT",
    }
