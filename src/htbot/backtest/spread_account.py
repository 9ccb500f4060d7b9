"""The account of a backtest: cash, what is held at its mark, margin, and the broker's answer to a what-if."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from htbot.backtest.spread_feed import Money
from htbot.domain.accounts import AccountFigures
from htbot.domain.fills import Fill
from htbot.domain.instruments import UNDERLYINGS, SecType
from htbot.domain.margin import WhatIf
from htbot.domain.orders import Action, OrderIntent
from htbot.domain.quotes import Quote
from htbot.domain.sessions import Session
from htbot.domain.signals import Leg, PlainLeg, SpreadLeg
from htbot.matching.fees import Plan, TradedLeg, commissions
from htbot.matching.fills import OrderLeg, leg_side, natural, price_of
from htbot.matching.margin import Holding, requirement

QuoteOf = Callable[[int], Quote | None]
_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_BY_DAY, _BY_NIGHT = 4, 2
# Equity from which a margin account may day-trade without limit (FINRA rule 4210(f)(8)(B)(iv)).
_DAY_TRADING_EQUITY = Decimal(25_000)
_DAY_TRADES, _DAYS_OF_DAY_TRADES = 3, 5
_NO_LIMIT = Decimal(-1)


@dataclass(slots=True)
class SpreadAccount:
    """A margin account that holds verticals, options, and stocks and funds.

    `day_trades` counts what was closed in the session in which it was opened, by contract, for five sessions.
    """

    name: str
    cash: Decimal
    plan: Plan
    quote_of: QuoteOf
    held: dict[int, Holding] = field(default_factory=dict)
    day_trades: list[int] = field(default_factory=lambda: [0])

    def begin_session(self) -> None:
        """A new session."""
        self.day_trades = [*self.day_trades, 0][-_DAYS_OF_DAY_TRADES:]

    def book(self, fill: Fill) -> None:
        """Cash and position of one execution."""
        self.cash -= fill.signed_quantity * fill.price * fill.multiplier + (fill.commission or _ZERO)
        before = self.held.get(fill.con_id)
        quantity = Decimal(fill.signed_quantity) + (_ZERO if before is None else before.quantity)
        if before is not None and before.quantity * fill.signed_quantity < 0:
            self.day_trades[-1] += 1
        if quantity:
            self.held[fill.con_id] = replace(_holding(fill), quantity=quantity)
        else:
            self.held.pop(fill.con_id, None)

    def net_liquidation(self) -> Decimal:
        """Cash and everything held at its mark."""
        return self.cash + self._worth(self.held.values())

    def money(self, session: Session, now: datetime) -> Money:
        """What the broker tells of the account now."""
        worth = self.net_liquidation()
        lent_on = worth - self._worth(_options(self.held.values()))
        margin = requirement(self.held.values(), self._mark)
        by_day = worth >= _DAY_TRADING_EQUITY and session.contains(now)
        free = lent_on - (margin.intraday if by_day else margin.initial)
        leverage = _BY_DAY if by_day else _BY_NIGHT
        left = _NO_LIMIT if worth >= _DAY_TRADING_EQUITY else Decimal(max(0, _DAY_TRADES - sum(self.day_trades)))
        gross = sum((abs(self._mark(one.con_id) * one.units) for one in self.held.values()), _ZERO)
        figures = AccountFigures(
            available_funds=_cents(free),
            excess_liquidity=_cents(lent_on - margin.maintenance),
            equity_with_loan=_cents(lent_on),
            gross_position_value=_cents(gross),
            total_cash=_cents(self.cash),
            settled_cash=_cents(self.cash),
            day_trades_remaining=left,
            overnight_funds=_cents(lent_on - margin.initial),
        )
        return Money(self.name, _cents(worth), _cents(max(_ZERO, free) * leverage), figures)

    def what_if(self, intent: OrderIntent, *, in_hours: bool = True) -> WhatIf:
        """The account after an order, filled at the natural price of now or at its limit where that is worse.

        In regular hours (`in_hours`) an account with enough equity opens against its margin of the day.
        """
        legs = [_order_leg(leg) for leg in intent.legs]
        price = natural(legs, intent.action, {leg.con_id: self.quote_of(leg.con_id) for leg in legs})
        if price is None:
            return WhatIf(unknown="a leg has no price")
        net = max(price.net, intent.limit) if intent.action is Action.BUY else min(price.net, intent.limit)
        gap = (net - price.net) / legs[0].weight
        prices = [price.leg_prices[0] + (gap if intent.alone else 0), *price.leg_prices[1:]]
        sides = [leg_side(leg, intent.action) for leg in legs]
        traded = [
            TradedLeg(_kind(leg), _class_of(leg), Decimal(abs(leg.ratio) * intent.quantity), paid, side, leg.multiplier)
            for leg, paid, side in zip(intent.legs, prices, sides, strict=True)
        ]
        fee = sum(commissions(traded, self.plan), _ZERO)
        sign = 1 if intent.action is Action.BUY else -1
        cash = self.cash - sign * net * intent.legs[0].multiplier * intent.quantity - fee
        after = dict(self.held)
        for leg in intent.legs:
            before = after.get(leg.con_id)
            quantity = Decimal(sign * leg.ratio * intent.quantity) + (_ZERO if before is None else before.quantity)
            after[leg.con_id] = replace(_of_leg(leg), quantity=quantity)
        margin = requirement(after.values(), self._mark)
        lent_on = cash + self._worth(after.values()) - self._worth(_options(after.values()))
        by_day = in_hours and cash + self._worth(after.values()) >= _DAY_TRADING_EQUITY
        initial = margin.intraday if by_day else margin.initial
        return WhatIf(_cents(lent_on), _cents(initial), _cents(margin.maintenance), _cents(fee))

    def _worth(self, holdings: Iterable[Holding]) -> Decimal:
        return sum((self._mark(held.con_id) * held.units for held in holdings), _ZERO)

    def _mark(self, con_id: int) -> Decimal:
        """The mid, else the last price, else the one side there is."""
        quote = self.quote_of(con_id)
        if quote is None:
            return _ZERO
        if quote.mid is not None and not quote.crossed:
            return price_of(quote.mid)
        known = [value for value in (quote.last, quote.bid, quote.ask) if value is not None and value >= 0]
        return price_of(known[0]) if known else _ZERO


def _order_leg(leg: Leg) -> OrderLeg:
    return OrderLeg(leg.con_id, abs(leg.ratio), Action.BUY if leg.ratio > 0 else Action.SELL)


def _options(holdings: Iterable[Holding]) -> list[Holding]:
    """What nothing is lent on."""
    return [held for held in holdings if held.sec_type is SecType.OPTION]


def _kind(leg: Leg) -> SecType:
    return SecType.OPTION if isinstance(leg, SpreadLeg) else SecType.STOCK


def _class_of(leg: Leg) -> str:
    return UNDERLYINGS[leg.symbol].option_class if isinstance(leg, SpreadLeg) else leg.symbol


def _of_leg(leg: Leg) -> Holding:
    if not isinstance(leg, SpreadLeg):
        return Holding(leg.con_id, leg.symbol, SecType.STOCK, _ZERO, leg.multiplier)
    return Holding(
        con_id=leg.con_id,
        symbol=leg.symbol,
        sec_type=SecType.OPTION,
        quantity=_ZERO,
        multiplier=leg.multiplier,
        expiry=leg.expiry,
        strike=leg.strike,
        right=leg.right,
        on_index=UNDERLYINGS[leg.symbol].cash_settled,
    )


def _holding(fill: Fill) -> Holding:
    if fill.expiry is None or fill.strike is None or fill.right is None:
        return _of_leg(PlainLeg(fill.con_id, fill.symbol, 1, fill.multiplier))
    leg = SpreadLeg(fill.con_id, fill.symbol, fill.expiry, fill.strike, fill.right, 1, fill.multiplier)
    return _of_leg(leg)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP) + 0


def net_by_contract(held: Mapping[int, Holding]) -> dict[int, int]:
    """What the account shows, by contract id."""
    return {con_id: int(holding.quantity) for con_id, holding in held.items()}
