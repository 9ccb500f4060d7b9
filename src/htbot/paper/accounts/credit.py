"""What an account may do: naked options and missing margin refuse an order; a what-if shows the margin it takes.

An order is judged as if it were filled now, or at its limit where that is better, on top of what the account's other
working orders would tie up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.domain.instruments import SecType
from htbot.domain.orders import Action
from htbot.matching.fees import TradedLeg, commissions
from htbot.matching.fills import leg_side, natural
from htbot.paper.accounts.bookings import Booking, booking
from htbot.paper.accounts.rates import Rates
from htbot.paper.accounts.reserve import Reserve, open_units
from htbot.paper.accounts.valuation import AccountKind, AccountValuation, CurrencyRow, Valuer
from htbot.paper.book.orders import PaperOrder
from htbot.paper.contracts import Tradable
from htbot.paper.errors import RequestError, rejected
from htbot.paper.prices import Prices

_ZERO = Decimal(0)
_PAID_FOR = frozenset({SecType.STOCK, SecType.OPTION})


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Margin before and after an order, and its commission."""

    before: AccountValuation
    after: AccountValuation
    commission: Decimal


class Credit:
    """Checks orders against the accounts they are for."""

    def __init__(self, prices: Prices, valuer: Valuer) -> None:
        self._prices = prices
        self._valuer = valuer
        self._reserve = Reserve(self._taken)

    def what_if(self, order: PaperOrder) -> WhatIf:
        """The account now and after the order; of a group's order the first account."""
        account, units = open_units(order)[0]
        trades = self._trades(order, account, units)
        fee = sum((trade.commission for trade in trades), _ZERO)
        return WhatIf(self._valuer.value(account), self._valuer.value(account, trades), fee)

    def note(self, order: PaperOrder) -> None:
        """An order was placed, changed, filled or ended: what it ties up is reckoned anew."""
        self._reserve.note(order)

    def refusal(self, order: PaperOrder, at: datetime) -> RequestError | None:
        """Why an account may not place this order beside its working ones, or None."""
        if order.ticket.good_till is not None and order.ticket.good_till <= at:
            return rejected("The good-till date is in the past")
        for account, units in open_units(order):
            trades = self._trades(order, account, units)
            reason = self._forbidden(order, account, trades) or self._too_much(order, account, trades)
            if reason is not None:
                return rejected(reason)
        return None

    def _forbidden(self, order: PaperOrder, account: str, trades: Sequence[Booking]) -> str | None:
        """What the account may not do, whatever money it has."""
        valuer = self._valuer
        is_cash = valuer.rules.kind(account) is AccountKind.CASH
        if (is_cash or not valuer.rules.naked_options) and valuer.has_new_naked_short(account, trades):
            if is_cash:
                return "A cash account may not hold short positions beyond covered calls and secured puts"
            return "Your account does not have permission to hold uncovered short options"
        contract = order.tradable.details[0].contract
        if contract.sec_type is SecType.CRYPTO and valuer.units(account, trades[0]) < 0:
            return f"{contract.symbol} cannot be sold short"
        if valuer.value(account).day_trades_left() == 0 and valuer.opens(account, trades):
            return "No day trades are left: an account below 25,000 USD may not open positions until one is"
        return None

    def _too_much(self, order: PaperOrder, account: str, trades: Sequence[Booking]) -> str | None:
        """The money that is missing, in words."""
        before, after = self._valuer.value(account), self._valuer.value(account, trades)
        taken = _at_limit(order, trades, before.available_funds - after.available_funds)
        if taken <= 0:
            return None
        left = before.available_funds - taken - self._reserve.beside(order, account, taken)
        if left < 0:
            what = "settled cash" if before.kind is AccountKind.CASH else "initial margin"
            return f"YOUR AVAILABLE FUNDS ARE INSUFFICIENT: {-left:.2f} USD are missing for {what}"
        if before.kind is AccountKind.CASH:
            for currency, row in after.rows.items():
                if row.cash < 0 and row.cash < before.rows.get(currency, CurrencyRow()).cash:
                    return f"A cash account may not owe {currency}: {-row.cash:.2f} are missing"
        return None

    def _taken(self, order: PaperOrder, account: str, units: Decimal) -> Decimal:
        """What an order alone would take of the account's funds."""
        trades = self._trades(order, account, units)
        after = self._valuer.value(account, trades)
        taken = self._valuer.value(account).available_funds - after.available_funds
        return max(_ZERO, _at_limit(order, trades, taken))

    def _trades(self, order: PaperOrder, account: str, units: Decimal) -> list[Booking]:
        """The order's open units as if filled now."""
        tradable, action = order.tradable, order.ticket.action
        prices = self._leg_prices(order, account)
        legs = traded_legs(tradable, prices, units, action, self._valuer.rates)
        fees = commissions(legs, self._valuer.rules.plan)
        return [
            booking(account, details.contract, leg_side(leg, action), leg.ratio * units, price, fee)
            for leg, details, price, fee in zip(tradable.legs, tradable.details, prices, fees, strict=True)
        ]

    def _leg_prices(self, order: PaperOrder, account: str) -> list[Decimal]:
        """The price of each leg: natural, or the limit where that is worse or where the trade is paid in cash."""
        tradable, ticket = order.tradable, order.ticket
        price = natural(tradable.legs, ticket.action, self._prices.quotes(tradable.con_ids))
        if price is None:
            leg_prices = [self._prices.mark(con_id) or ticket.limit or _ZERO for con_id in tradable.con_ids]
        else:
            leg_prices = list(price.leg_prices)
        if ticket.limit is None:
            return leg_prices
        net = sum((leg.weight * part for leg, part in zip(tradable.legs, leg_prices, strict=True)), _ZERO)
        gap = ticket.limit - net
        worse = gap > 0 if ticket.action is Action.BUY else gap < 0
        in_cash = tradable.details[0].contract.sec_type is SecType.CRYPTO
        if worse or in_cash or self._valuer.rules.kind(account) is AccountKind.CASH:
            leg_prices[0] += gap / tradable.legs[0].weight
        return leg_prices


def _at_limit(order: PaperOrder, trades: Sequence[Booking], taken: Decimal) -> Decimal:
    """What a trade at the market takes, put to the limit of an order that waits for a better price than that.

    A purchase of shares or options costs its limit; shares sold short are secured at the price that they are sold at.
    What covers a position, futures and combinations (the width of their strikes) take what they take at the market.
    """
    limit, price, kind = order.ticket.limit, trades[0].price, order.tradable.details[0].contract.sec_type
    if limit is None or taken <= 0 or order.tradable.is_combination or limit < 0 or price <= 0:
        return taken
    if order.ticket.action is Action.BUY:
        waits = limit < price and kind in _PAID_FOR
    else:
        waits = limit > price and kind is SecType.STOCK
    if not waits:
        return taken
    fee = trades[0].commission
    return fee + (taken - fee) * limit / price


def traded_legs(
    tradable: Tradable,
    prices: Sequence[Decimal],
    quantity: Decimal,
    action: Action = Action.BUY,
    rates: Rates | None = None,
) -> list[TradedLeg]:
    """What the commissions of `quantity` units depend on; a currency without a rate counts as USD."""
    legs = []
    for leg, details, price in zip(tradable.legs, tradable.details, prices, strict=True):
        contract = details.contract
        rate = None if rates is None else rates.usd(contract.currency)
        legs.append(
            TradedLeg(
                contract.sec_type,
                contract.trading_class or contract.symbol,
                leg.ratio * quantity,
                price,
                leg_side(leg, action),
                contract.multiplier,
                Decimal(1) if rate is None else rate,
            )
        )
    return legs
