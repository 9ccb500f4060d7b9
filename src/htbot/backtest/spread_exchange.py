"""Where a backtest's orders work: its own book of them, filled by the rules that the paper gateway also uses.

Combinations of options, and options, stocks and funds as combinations of one leg (decisions 0024 and 0039). The rules
(`htbot.matching`) are shared, the book is not: had both the same one, that they agree would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from htbot.domain.fills import Fill
from htbot.domain.instruments import UNDERLYINGS, SecType
from htbot.domain.orders import Action, OrderIntent, PriceStyle
from htbot.domain.quotes import Quote
from htbot.domain.sessions import Session
from htbot.market.ports import Market
from htbot.matching.fees import Bill, Plan, TradedLeg, charge
from htbot.matching.fills import OrderLeg, leg_side
from htbot.matching.look import look, takes
from htbot.matching.terms import OrderKind, Outcome, Progress, Terms
from htbot.matching.view import FillRules, Tape, View, whole_lots

_CENT = Decimal("0.01")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Charges:
    """How orders are filled and what they cost."""

    rules: FillRules
    plan: Plan
    latency: timedelta


@dataclass(frozen=True, slots=True)
class Asked:
    """A message on its way: another limit and size, or with `limit` None a cancel."""

    at: datetime
    limit: Decimal | None
    size: int = 0


@dataclass(slots=True)
class Standing:
    """An order at the exchange; its terms are those at the wire, where a short sale is a SELL at a positive price.

    `sent` are messages on their way; `quantity` is what it may fill in all, its group's fills taken off; `since` is
    when it came or was changed; `ended` is final.
    """

    intent: OrderIntent
    legs: tuple[OrderLeg, ...]
    terms: Terms | None = None
    quantity: Decimal = Decimal(0)
    progress: Progress = field(default_factory=Progress)
    bill: Bill = ()
    sent: list[Asked] = field(default_factory=list)
    since: datetime | None = None
    due: bool = False
    ended: bool = False

    @property
    def works(self) -> bool:
        """At the exchange and not over."""
        return self.terms is not None and not self.ended

    @property
    def remaining(self) -> Decimal:
        """What it may still fill."""
        return self.quantity - self.progress.filled


class SpreadExchange:
    """Orders of combinations and of shares, worked at the quotes and trades of one market."""

    def __init__(self, market: Market, charges: Charges) -> None:
        self._market = market
        self._charges = charges
        self._orders: dict[str, Standing] = {}
        self._taken: dict[tuple[int, Action], Decimal] = {}
        self._taken_at: datetime | None = None
        self._quotes: dict[int, Quote | None] = {}
        self._tapes: dict[tuple[int, datetime], Tape | None] = {}
        self._looked_at: datetime | None = None
        self._executions = 0

    def begin(self) -> None:
        """A new session: what has ended is forgotten."""
        self._orders = {ref: order for ref, order in self._orders.items() if not order.ended}

    # --- what a desk asks -------------------------------------------------------------------------------------------

    def place(self, intent: OrderIntent, limit: Decimal, now: datetime, size: int | None = None) -> None:
        """Send an order, or another limit or size for one that works; without a size it is the intent's."""
        order = self._orders.get(intent.ref)
        if order is None:
            order = self._orders[intent.ref] = Standing(intent, wire_legs(intent))
        asked = Asked(now + self._charges.latency, limit, intent.quantity if size is None else size)
        order.sent.append(asked)

    def cancel(self, ref: str, now: datetime) -> None:
        """Ask for a cancel; it ends the whole group of an order that has one."""
        self._orders[ref].sent.append(Asked(now + self._charges.latency, None))

    def works(self, ref: str) -> bool:
        """Whether an order has arrived and is not over."""
        return ref in self._orders and self._orders[ref].works

    def ended(self, ref: str) -> bool:
        """Whether an order is over."""
        return self._orders[ref].ended

    def size(self, ref: str) -> int:
        """What an order may fill in all, as the exchange has it."""
        return int(self._orders[ref].quantity)

    # --- instants ---------------------------------------------------------------------------------------------------

    @property
    def working(self) -> Iterable[datetime | None]:
        """Of each working order the time that it is good till."""
        return [order.intent.good_till for order in self._orders.values() if order.works]

    @property
    def arrivals(self) -> list[datetime]:
        """When messages under way arrive."""
        return [asked.at for order in self._orders.values() if not order.ended for asked in order.sent]

    def play(self, now: datetime, session: Session) -> list[Fill]:
        """One instant: what ends by time ends, what has arrived counts, every working order looks at the market."""
        for order in self._live():
            good_till, lasts = order.intent.good_till, order.intent.protective
            if (now >= session.closes and not lasts) or (good_till is not None and good_till <= now):
                order.ended = True
        self._arrive(now)
        fills = [fill for order in self._live() for fill in self._look(order, now)]
        self._looked_at = now
        return fills

    def match_due(self, now: datetime) -> list[Fill]:
        """Orders that arrived or changed at this same instant look at the market for the first time."""
        self._arrive(now)
        return [fill for order in self._live() if order.due for fill in self._look(order, now)]

    def _live(self) -> list[Standing]:
        return [order for order in self._orders.values() if not order.ended]

    def _arrive(self, now: datetime) -> None:
        for order in self._live():
            arrived = [asked for asked in order.sent if asked.at <= now]
            order.sent = [asked for asked in order.sent if asked.at > now]
            for asked in arrived:
                if order.ended:
                    break
                if asked.limit is None:
                    for member in [order, *self._siblings(order)]:
                        member.ended = True
                else:
                    self._take(order, asked.limit, asked.size, now)

    def _take(self, order: Standing, limit: Decimal, size: int, now: datetime) -> None:
        """A new order, or a change: with another price it starts afresh, with another size it goes on."""
        before, terms = order.terms, self._terms(order.intent, limit, Decimal(size))
        if before is not None and replace(terms, quantity=before.quantity) != before:
            order.progress = order.progress.repriced()
        order.terms, order.quantity, order.since, order.due = terms, terms.quantity, now, True

    def _terms(self, intent: OrderIntent, limit: Decimal, quantity: Decimal) -> Terms:
        leg = intent.alone
        if leg is None:
            return Terms(intent.action, OrderKind.LIMIT, quantity, limit)
        bought = (intent.action is Action.BUY) is (leg.ratio > 0)
        action, price = Action.BUY if bought else Action.SELL, limit * leg.ratio
        details = self._market.contract(leg.con_id)
        lot = Decimal(1) if details is None else details.size_increment
        match intent.style:
            case PriceStyle.MARKET:
                return Terms(action, OrderKind.MARKET, quantity, lot=lot)
            case PriceStyle.STOP:
                return Terms(action, OrderKind.STOP, quantity, aux=price, lot=lot)
            case _:
                return Terms(action, OrderKind.LIMIT, quantity, price, lot=lot)

    def _look(self, order: Standing, now: datetime) -> list[Fill]:
        if order.terms is None or order.ended:
            return []
        order.due = False
        con_ids = [leg.con_id for leg in order.legs]
        trading = all(self._market.is_trading(con_id, now, outside_rth=False) for con_id in con_ids)
        if not trading or any(self._market.halted(con_id, now) for con_id in con_ids):
            return []
        self._go_to(now)
        terms, opened = replace(order.terms, quantity=order.quantity), order.remaining
        outcome = look(terms, order.progress, order.legs, self._view(order, now), self._charges.rules)
        for key, units in takes(outcome, order.legs, terms.action).items():
            self._taken[key] = self._taken.get(key, Decimal(0)) + units
        order.progress = outcome.progress
        order.ended = outcome.cancel_rest or order.remaining <= 0
        if outcome.quantity:
            for sibling in self._siblings(order):
                _reduce(sibling, order, opened)
        return self._fills(order, outcome, now)

    def _go_to(self, now: datetime) -> None:
        """What was taken of a touch, and what was asked of the market, counts for one instant."""
        if self._taken_at != now:
            self._taken_at, self._taken = now, {}
            self._quotes.clear()
            self._tapes.clear()

    def _quote(self, con_id: int, now: datetime) -> Quote | None:
        if con_id not in self._quotes:
            self._quotes[con_id] = self._market.quote(con_id, now)
        return self._quotes[con_id]

    def _view(self, order: Standing, now: datetime) -> View:
        quotes = {leg.con_id: self._quote(leg.con_id, now) for leg in order.legs}
        leg = order.intent.alone
        if leg is None:
            tick = UNDERLYINGS[order.intent.symbol].combo_tick
            return View(quotes, ((Decimal(0), tick),), taken=self._taken)
        details = self._market.contract(leg.con_id)
        rule = ((Decimal(0), order.intent.tick),) if details is None else details.price_rule
        return View(quotes, rule, self._tape(order, leg.con_id, now), taken=self._taken)

    def _tape(self, order: Standing, con_id: int, now: datetime) -> Tape | None:
        """The trades since the last look, and not from before the order came or was changed."""
        since = max(at for at in (self._looked_at, order.since, _LONG_AGO) if at is not None)
        if since >= now:
            return None
        if (con_id, since) not in self._tapes:
            trades = self._market.prints(con_id, since, now)
            self._tapes[con_id, since] = Tape.of((trade.price, trade.size) for trade in trades)
        return self._tapes[con_id, since]

    def _siblings(self, order: Standing) -> list[Standing]:
        """What else lives in the group of an order."""
        group = order.intent.group
        if group is None:
            return []
        return [one for one in self._live() if one.intent.group == group and one is not order]

    # --- executions -------------------------------------------------------------------------------------------------

    def _fills(self, order: Standing, outcome: Outcome, now: datetime) -> list[Fill]:
        """One execution for each leg of what was filled, with its commission."""
        if outcome.price is None or not outcome.quantity:
            return []
        intent, prices = order.intent, outcome.price.leg_prices
        action = intent.action if order.terms is None else order.terms.action
        kind = SecType.OPTION if intent.plain is None else SecType.STOCK
        trading_class = UNDERLYINGS[intent.symbol].option_class if intent.plain is None else intent.symbol
        sides = [leg_side(leg, action) for leg in order.legs]
        traded = [
            TradedLeg(kind, trading_class, leg.ratio * outcome.quantity, price, side, planned.multiplier)
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


def wire_legs(intent: OrderIntent) -> tuple[OrderLeg, ...]:
    """The legs of an order at the exchange: the only one is bought, whatever side its order has."""
    if intent.alone is not None:
        return (OrderLeg(intent.alone.con_id, 1, Action.BUY),)
    return tuple(
        OrderLeg(leg.con_id, abs(leg.ratio), Action.BUY if leg.ratio > 0 else Action.SELL) for leg in intent.legs
    )


def _reduce(sibling: Standing, order: Standing, opened: Decimal) -> None:
    """A fill in its group takes its part off a sibling (OCA type 2); `opened` is what was open of the filled order."""
    left = Decimal(0) if order.remaining <= 0 else whole_lots(sibling.remaining * order.remaining / opened, _lot(order))
    if left <= 0:
        sibling.ended = True
    else:
        sibling.quantity = sibling.progress.filled + left


def _lot(order: Standing) -> Decimal:
    return Decimal(1) if order.terms is None else order.terms.lot


def _plain(price: Decimal) -> Decimal:
    """A price in cents where it is one: 12.10, not 12.100000."""
    cents = price.quantize(_CENT)
    return cents if cents == price else price.normalize()
