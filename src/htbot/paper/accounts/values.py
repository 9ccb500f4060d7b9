"""The account values and summary tags that IB reports, made from a valuation.

Keys, segments (`-S` securities, `-C` commodities) and the rows by currency are those that reqAccountUpdates delivers;
what this gateway's accounts cannot hold (bonds, funds, dividends) is zero. The commodities segment holds the cash that
the margin of futures takes and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from htbot.paper.accounts.bookings import BASE_CURRENCY
from htbot.paper.accounts.valuation import AccountValuation, CurrencyRow, money

BASE = "BASE"
_ZERO = Decimal(0)
_Amount = Callable[[AccountValuation], Decimal]


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One account value as messages write it; `ledger` tells a row of a currency."""

    key: str
    value: str
    currency: str = ""
    ledger: bool = False


def _nothing(_valuation: AccountValuation) -> Decimal:
    return _ZERO


def _futures(valuation: AccountValuation) -> Decimal:
    return valuation.futures_requirement.initial


def _futures_excess(valuation: AccountValuation) -> Decimal:
    return valuation.futures_requirement.initial - valuation.futures_requirement.maintenance


def _futures_kept(valuation: AccountValuation) -> Decimal:
    return valuation.futures_requirement.maintenance


# key: the account's amount, and what of it stands in the commodities segment
_SEGMENTED: dict[str, tuple[_Amount, _Amount]] = {
    "AccruedCash": (_nothing, _nothing),
    "AccruedDividend": (_nothing, _nothing),
    "AvailableFunds": (lambda v: v.available_funds, _nothing),
    "Billable": (_nothing, _nothing),
    "EquityWithLoanValue": (lambda v: v.equity_with_loan, _futures),
    "ExcessLiquidity": (lambda v: v.excess_liquidity, _futures_excess),
    "FullAvailableFunds": (lambda v: v.overnight_funds, _nothing),
    "FullExcessLiquidity": (lambda v: v.excess_liquidity, _futures_excess),
    "FullInitMarginReq": (lambda v: v.requirement.initial, _futures),
    "FullMaintMarginReq": (lambda v: v.requirement.maintenance, _futures_kept),
    "Guarantee": (_nothing, _nothing),
    "IndianStockHaircut": (_nothing, _nothing),
    "InitMarginReq": (lambda v: v.initial, _futures),
    "LookAheadAvailableFunds": (lambda v: v.overnight_funds, _nothing),
    "LookAheadExcessLiquidity": (lambda v: v.excess_liquidity, _futures_excess),
    "LookAheadInitMarginReq": (lambda v: v.requirement.initial, _futures),
    "LookAheadMaintMarginReq": (lambda v: v.requirement.maintenance, _futures_kept),
    "MaintMarginReq": (lambda v: v.requirement.maintenance, _futures_kept),
    "NetLiquidation": (lambda v: v.net_liquidation, _futures),
    "PASharesValue": (_nothing, _nothing),
    "PostExpirationExcess": (_nothing, _nothing),
    "PostExpirationMargin": (_nothing, _nothing),
    "TotalCashValue": (lambda v: v.total.cash, _futures),
    "TotalDebitCardPendingCharges": (_nothing, _nothing),
}
_SECURITIES: dict[str, _Amount] = {
    "GrossPositionValue": lambda v: v.gross_value,
    "PreviousDayEquityWithLoanValue": lambda v: v.day_loan_equity,
    "RegTEquity": lambda v: v.equity_with_loan,
    "RegTMargin": lambda v: v.requirement.initial,
    "SMA": lambda v: v.overnight_funds,
}
_WHOLE: dict[str, _Amount] = {
    "BuyingPower": lambda v: v.buying_power,
    "NetLiquidationUncertainty": _nothing,
    "PreviousEquityWithLoanValue": lambda v: v.day_loan_equity,
    "ReqTEquity": lambda v: v.equity_with_loan,
    "ReqTMargin": lambda v: v.requirement.initial,
    "SettledCash": lambda v: v.settled_cash,
}
_BY_CURRENCY: dict[str, Callable[[CurrencyRow], Decimal]] = {
    "AccruedCash": lambda _row: _ZERO,
    "CashBalance": lambda row: row.cash,
    "CorporateBondValue": lambda _row: _ZERO,
    "Cryptocurrency": lambda row: row.crypto,
    "FundValue": lambda _row: _ZERO,
    "FutureOptionValue": lambda _row: _ZERO,
    "FuturesPNL": lambda row: row.future,
    "FxCashBalance": lambda _row: _ZERO,
    "IssuerOptionValue": lambda _row: _ZERO,
    "MoneyMarketFundValue": lambda _row: _ZERO,
    "MutualFundValue": lambda _row: _ZERO,
    "NetDividend": lambda _row: _ZERO,
    "NetLiquidationByCurrency": lambda row: row.net,
    "OptionMarketValue": lambda row: row.option,
    "RealizedPnL": lambda row: row.realized,
    "StockMarketValue": lambda row: row.stock,
    "TBillValue": lambda _row: _ZERO,
    "TBondValue": lambda _row: _ZERO,
    "TotalCashBalance": lambda row: row.cash,
    "UnrealizedPnL": lambda row: row.unrealized,
    "WarrantValue": lambda _row: _ZERO,
}


def account_rows(account: str, valuation: AccountValuation, next_change: int = 0) -> list[ValueRow]:
    """The values of the whole account, by key; `next_change` is the epoch second at which its margin changes."""
    rows = _plain(account, valuation, next_change)
    for key, (whole, part) in _SEGMENTED.items():
        amount, commodities = whole(valuation), part(valuation)
        rows += [
            ValueRow(key, money(amount), BASE_CURRENCY),
            ValueRow(f"{key}-C", money(commodities), BASE_CURRENCY),
            ValueRow(f"{key}-S", money(amount - commodities), BASE_CURRENCY),
        ]
    for key, amount_of in _SECURITIES.items():
        text = money(amount_of(valuation))
        rows += [ValueRow(key, text, BASE_CURRENCY), ValueRow(f"{key}-S", text, BASE_CURRENCY)]
    rows += [ValueRow(key, money(amount_of(valuation)), BASE_CURRENCY) for key, amount_of in _WHOLE.items()]
    return sorted(rows, key=lambda row: row.key)


def _plain(account: str, valuation: AccountValuation, next_change: int) -> list[ValueRow]:
    net = valuation.net_liquidation
    cushion = valuation.excess_liquidity / net if net > 0 else _ZERO
    leverage = money(valuation.gross_value / net if net > 0 else _ZERO)
    values = {
        "AccountCode": account,
        "AccountReady": "true",
        "AccountType": "INDIVIDUAL",
        "Cushion": str(cushion.quantize(Decimal("0.000001"))),
        "DayTradesRemaining": str(valuation.day_trades_left()),
        **{f"DayTradesRemainingT+{ahead}": str(valuation.day_trades_left(ahead)) for ahead in range(1, 5)},
        "HighestSeverity": "0",
        "Leverage": leverage,
        "Leverage-S": leverage,
        "LookAheadNextChange": str(next_change),
        "NLVAndMarginInReview": "false",
        "SegmentTitle-C": "US Commodities",
        "SegmentTitle-S": "US Securities",
        "TradingType-S": "STKNOPT",
        "WhatIfPMEnabled": "true",
    }
    return [ValueRow(key, value) for key, value in values.items()]


def ledger_rows(name: str, valuations: Iterable[AccountValuation]) -> list[ValueRow]:
    """The values by currency of one account, or of several together: `BASE` for all in USD, then each currency."""
    by_currency: dict[str, CurrencyRow] = {BASE: CurrencyRow(), BASE_CURRENCY: CurrencyRow()}
    rates = {BASE: Decimal(1)}
    for valuation in valuations:
        by_currency[BASE].add(valuation.total, Decimal(1))
        for currency, row in sorted(valuation.rows.items()):
            by_currency.setdefault(currency, CurrencyRow()).add(row, Decimal(1))
        rates |= valuation.rates
    found = []
    for currency, row in by_currency.items():
        values = {
            "AccountOrGroup": name,
            "Currency": currency,
            "ExchangeRate": _rate(rates.get(currency)),
            "RealCurrency": currency,
            **{key: money(amount_of(row)) for key, amount_of in _BY_CURRENCY.items()},
        }
        found += [ValueRow(key, value, currency, ledger=True) for key, value in values.items()]
    return sorted(found, key=lambda row: row.key)


def _rate(rate: Decimal | None) -> str:
    if rate is None:
        return ""
    return "1.00" if rate == 1 else str(rate.quantize(Decimal("0.0000001")))
