"""Where a backtest's orders work: its own book of them, filled by the rules that the paper gateway also uses.

The rules (`htbot.matching`) are shared, the book is not: had both the same one, that they agree would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.domain.fills import Fill
from htbot.domain.instruments import UNDERLYINGS, SecType
from htbot.domain.orders import Action, OrderIntent
from htbot.domain.sessions import Session
from htbot.market.ports import Market
from htbot.matching.fees import Bill, Plan, TradedLeg, charge
from htbot.matching.fills import OrderLeg, leg_side
from htbot.matching.look import look, takes
from htbot.matching.terms import OrderKind, Outcome, Progress, Terms
from htbot.matching.view import FillRules, View

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Charges:
    """How orders are filled and what they cost."""

    rules: FillRules
    plan: Plan
    latency: timedelta


@dataclass(slots=True)
class Standing:
    """An order at the exchange. `sent` are limits on their way, None asks for a cancel; `ended` is final."""

    intent: OrderIntent
    legs: tuple[OrderLeg, ...]
    terms: Terms | None = None
    progress: Progress = field(default_factory=Progress)
    bill: Bill = ()
    sent: list[tuple[datetime, Decimal | None]] = field(default_factory=list)
    due: bool = False
    ended: bool = False

    @property
    def works(self) -> bool:
        """At the exchange and not over."""
        return self.terms is not None and not self.ended


class SpreadExchange:
    """Orders of combinations, worked at the quotes of one market."""

    def __init__(self, market: Market, charges: Charges) -> None:
        self._market = market
        self._charges = charges
        self._orders: dict[str, Standing] = {}
        self._taken: dict[tuple[int, Action], Decimal] = {}
        self._taken_at: datetime | None = None
        self._executions = 0

    def begin(self) -> None:
        """A new session: what has ended is forgotten."""
        self._orders = {ref: order for ref, order in self._orders.items() if not order.ended}

    # --- what a desk asks -------------------------------------------------------------------------------------------

    def place(self, intent: OrderIntent, limit: Decimal, now: datetime) -> None:
        """Send an order, or another limit for one that works."""
        order = self._orders.get(intent.ref)
        if order is None:
            legs = tuple(
                OrderLeg(leg.con_id, abs(leg.ratio), Action.BUY if leg.ratio > 0 else Action.SELL)
                for leg in intent.legs
            )
            order = self._orders[intent.ref] = Standing(intent, legs)
        order.sent.append((now + self._charges.latency, limit))

    def cancel(self, ref: str, now: datetime) -> None:
        """Ask for a cancel."""
        self._orders[ref].sent.append((now + self._charges.latency, None))

    def works(self, ref: str) -> bool:
        """Whether an order has arrived and is not over."""
        return ref in self._orders and self._orders[ref].works

    def ended(self, ref: str) -> bool:
        """Whether an order is over."""
        return self._orders[ref].ended

    # --- instants ---------------------------------------------------------------------------------------------------

    @property
    def working(self) -> Iterable[datetime | None]:
        """Of each working order the time that it is good till."""
        return [order.intent.good_till for order in self._orders.values() if order.works]

    @property
    def arrivals(self) -> list[datetime]:
        """When messages under way arrive."""
        return [at for order in self._orders.values() if not order.ended for at, _limit in order.sent]

    def play(self, now: datetime, session: Session) -> list[Fill]:
        """One instant: what ends by time ends, what has arrived counts, every working order looks at the market."""
        for order in self._live():
            good_till = order.intent.good_till
            if now >= session.closes or (good_till is not None and good_till <= now):
                order.ended = True
        self._arrive(now)
        return [fill for order in self._live() for fill in self._look(order, now)]

    def match_due(self, now: datetime) -> list[Fill]:
        """Orders that arrived or changed at this same instant look at the market for the first time."""
        self._arrive(now)
        return [fill for order in self._live() if order.due for fill in self._look(order, now)]

    def _live(self) -> list[Standing]:
        return [order for order in self._orders.values() if not order.ended]

    def _arrive(self, now: datetime) -> None:
        for order in self._live():
            arrived = [limit for at, limit in order.sent if at <= now]
            order.sent = [(at, limit) for at, limit in order.sent if at > now]
            for limit in arrived:
                if limit is None:
                    order.ended = True
                else:
                    self._take(order, limit)

    @staticmethod
    def _take(order: Standing, limit: Decimal) -> None:
        intent, before = order.intent, order.terms
        terms = Terms(intent.action, OrderKind.LIMIT, Decimal(intent.quantity), limit)
        if before is not None and terms != before:
            order.progress = order.progress.repriced()
        order.terms, order.due = terms, True

    def _look(self, order: Standing, now: datetime) -> list[Fill]:
        terms = order.terms
        if terms is None or order.ended:
            return []
        order.due = False
        con_ids = [leg.con_id for leg in order.legs]
        trading = all(self._market.is_trading(con_id, now, outside_rth=False) for con_id in con_ids)
        if not trading or any(self._market.halted(con_id, now) for con_id in con_ids):
            return []
        if self._taken_at != now:
            self._taken_at, self._taken = now, {}
        tick = UNDERLYINGS[order.intent.symbol].combo_tick
        quotes = {con_id: self._market.quote(con_id, now) for con_id in con_ids}
        view = View(quotes, ((Decimal(0), tick),), taken=self._taken)
        outcome = look(terms, order.progress, order.legs, view, self._charges.rules)
        for key, units in takes(outcome, order.legs, terms.action).items():
            self._taken[key] = self._taken.get(key, Decimal(0)) + units
        order.progress = outcome.progress
        order.ended = outcome.cancel_rest or outcome.progress.filled >= terms.quantity
        return self._fills(order, outcome, now)

    # --- executions -------------------------------------------------------------------------------------------------

    def _fills(self, order: Standing, outcome: Outcome, now: datetime) -> list[Fill]:
        """One execution for each leg of what was filled, with its commission."""
        if outcome.price is None or not outcome.quantity:
            return []
        intent, prices = order.intent, outcome.price.leg_prices
        trading_class = UNDERLYINGS[intent.symbol].option_class
        sides = [leg_side(leg, intent.action) for leg in order.legs]
        traded = [
            TradedLeg(SecType.OPTION, trading_class, leg.ratio * outcome.quantity, price, side, planned.multiplier)
            for leg, planned, price, side in zip(order.legs, intent.legs, prices, sides, strict=True)
        ]
        order.bill, fees = charge(traded, self._charges.plan, order.bill)
        self._executions += 1
        return [
            self._fill(order, index, replace(leg, side=sides[index]), fees[index], now)
            for index, leg in enumerate(traded)
        ]

    def _fill(self, order: Standing, index: int, traded: TradedLeg, fee: Decimal, now: datetime) -> Fill:
        leg = order.intent.legs[index]
        quote = self._market.quote(leg.con_id, now)
        return Fill(
            exec_id=f"backtest-{self._executions:06d}.{index + 1:02d}.01",
            ref=order.intent.ref,
            account=order.intent.account,
            con_id=leg.con_id,
            symbol=leg.symbol,
            expiry=leg.expiry,
            strike=leg.strike,
            right=leg.right,
            side=traded.side,
            quantity=int(traded.quantity),
            price=_plain(traded.price),
            multiplier=leg.multiplier,
            executed_at=now,
            perm_id=0,
            commission=fee,
            modelled=quote is not None and quote.modelled,
        )


def _plain(price: Decimal) -> Decimal:
    """A price in cents where it is one: 12.10, not 12.100000."""
    cents = price.quantize(_CENT)
    return cents if cents == price else price.normalize()
