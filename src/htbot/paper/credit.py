"""What an account may do: naked options and missing margin refuse an order; a what-if shows the margin it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from htbot.domain.orders import Action
from htbot.matching.fees import TradedLeg, commissions
from htbot.matching.fills import Natural, leg_side, natural
from htbot.paper.contracts import Tradable
from htbot.paper.errors import RequestError
from htbot.paper.order_entry import rejected
from htbot.paper.orders import PaperOrder
from htbot.paper.prices import Prices
from htbot.paper.valuation import AccountValuation, Hypothesis, Valuer, signed


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Margin before and after an order, and its commission."""

    before: AccountValuation
    after: AccountValuation
    commission: Decimal


class Credit:
    """Checks orders against the account they are for."""

    def __init__(self, prices: Prices, valuer: Valuer) -> None:
        self._prices = prices
        self._valuer = valuer

    def what_if(self, order: PaperOrder) -> WhatIf:
        """The account now and after the order."""
        trades, fee = self._hypothesis(order)
        return WhatIf(self._valuer.value(order.account), self._valuer.value(order.account, trades), fee)

    def refusal(self, order: PaperOrder, at: datetime) -> RequestError | None:
        """Why the account may not place this order, or None."""
        if order.ticket.good_till is not None and order.ticket.good_till <= at:
            return rejected("The good-till date is in the past")
        trades, _fee = self._hypothesis(order)
        valuer = self._valuer
        if valuer.has_new_naked_short(order.account, trades):
            return rejected("Your account does not have permission to hold uncovered short options")
        before = valuer.value(order.account)
        after = valuer.value(order.account, trades)
        if after.available_funds < 0 and after.available_funds < before.available_funds:
            short = (-after.available_funds).quantize(Decimal("0.01"))
            return rejected(f"YOUR AVAILABLE FUNDS ARE INSUFFICIENT: {short} USD are missing for initial margin")
        return None

    def _hypothesis(self, order: PaperOrder) -> tuple[list[Hypothesis], Decimal]:
        """The order's remaining units as if filled now: at the natural price, or at the limit where that is worse."""
        ticket = order.ticket
        quotes = self._prices.quotes(order.tradable.con_ids)
        price = natural(order.tradable.legs, ticket.action, quotes)
        marks = [self._prices.mark(con_id) or Decimal(0) for con_id in order.tradable.con_ids]
        leg_prices = list(price.leg_prices) if price else marks
        fees = commissions(traded_legs(order.tradable, leg_prices, Decimal(order.remaining)))
        trades = []
        for leg, details, leg_price, fee in zip(
            order.tradable.legs, order.tradable.details, leg_prices, fees, strict=True
        ):
            quantity = signed(leg_side(leg, ticket.action), Decimal(leg.ratio * order.remaining))
            flow = -quantity * leg_price * details.contract.multiplier - fee
            trades.append(Hypothesis(leg.con_id, quantity, flow))
        if ticket.limit is not None and price is not None:
            trades[0] = replace(trades[0], flow_usd=trades[0].flow_usd + _limit_gap(order, price))
        return trades, sum(fees, Decimal(0))


def traded_legs(tradable: Tradable, prices: Sequence[Decimal], quantity: Decimal) -> list[TradedLeg]:
    """What the commissions of `quantity` units depend on."""
    return [
        TradedLeg(details.contract.sec_type, details.contract.trading_class, leg.ratio * quantity, price)
        for leg, details, price in zip(tradable.legs, tradable.details, prices, strict=True)
    ]


def _limit_gap(order: PaperOrder, price: Natural) -> Decimal:
    """Cash that a fill at the limit would cost beyond one at the natural price (never positive)."""
    limit = order.ticket.limit or Decimal(0)
    worse = limit - price.net if order.ticket.action is Action.BUY else price.net - limit
    multiplier = order.tradable.details[0].contract.multiplier
    return -max(Decimal(0), worse) * order.remaining * multiplier
