"""What the book sees of the market: a view for the fill rules, facts for conditions, whether a contract trades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.domain.orders import Action
from htbot.domain.sessions import NEW_YORK
from htbot.market.ports import Market
from htbot.matching.fills import OrderLeg, price_of
from htbot.matching.look import takes
from htbot.matching.terms import Outcome, TriggerMethod
from htbot.matching.view import Phase, Tape, View
from htbot.paper.accounts.valuation import Valuer
from htbot.paper.book.orders import Execution, PaperOrder
from htbot.paper.prices import Prices
from htbot.paper.wire.times import ZONE_NAME

_DAYS_AHEAD = 7


class BookViews:
    """The market at the instant of `prices`. What orders took from a touch stays taken until the time moves."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._market: Market = prices.market
        self._taken: dict[tuple[int, Action], Decimal] = {}
        self._taken_at = prices.at

    def view(self, order: PaperOrder, since: datetime, phase: Phase) -> View:
        """What one order sees; the tape holds the trades after `since`."""
        tradable = order.tradable
        con_id = None if tradable.is_combination else tradable.con_ids[0]
        return View(
            quotes=self._prices.quotes(tradable.con_ids),
            price_rule=tradable.price_rule,
            tape=None if con_id is None else self._tape(con_id, max(since, order.since)),
            phase=phase,
            auction_price=None if con_id is None or phase is Phase.CONTINUOUS else self._auction_price(con_id, phase),
            taken=self._taken_now(),
        )

    def took(self, outcome: Outcome, legs: tuple[OrderLeg, ...], action: Action) -> None:
        """Remember what a fill took from the touch."""
        taken = self._taken_now()
        for key, units in takes(outcome, legs, action).items():
            taken[key] = taken.get(key, Decimal(0)) + units

    def _taken_now(self) -> dict[tuple[int, Action], Decimal]:
        if self._taken_at != self._prices.at:
            self._taken_at = self._prices.at
            self._taken.clear()
        return self._taken

    def _tape(self, con_id: int, since: datetime) -> Tape | None:
        trades = self._prices.prints(con_id, since) if since < self._prices.at else ()
        return Tape.of((trade.price, trade.size) for trade in trades)

    def _auction_price(self, con_id: int, phase: Phase) -> Decimal | None:
        """The day's open or the last price; without either no auction was held."""
        opened = self._prices.statistics(con_id).open if phase is Phase.OPENING_AUCTION else None
        if opened is not None:
            return price_of(opened)
        quote = self._prices.quote(con_id)
        return None if quote is None or quote.last is None else price_of(quote.last)

    # --- hours --------------------------------------------------------------------------------------------------

    def trades(self, order: PaperOrder) -> bool:
        """Whether every leg of the order trades now, in the hours that the order is for."""
        outside = order.ticket.outside_rth
        at = self._prices.at
        return all(self._market.is_trading(con_id, at, outside_rth=outside) for con_id in order.tradable.con_ids)

    def halted(self, order: PaperOrder) -> bool:
        """Whether trading in a leg is halted."""
        return any(self._market.halted(con_id, self._prices.at) for con_id in order.tradable.con_ids)

    def in_regular_hours(self, order: PaperOrder) -> bool:
        """Whether the contract is in its regular hours."""
        at = self._prices.at
        return all(self._market.is_trading(con_id, at, outside_rth=False) for con_id in order.tradable.con_ids)

    def opened_since(self, order: PaperOrder, since: datetime) -> bool:
        """Whether the contract's regular hours began after `since` and not later than now."""
        at = self._prices.at
        if since >= at:
            return False
        hours = self._market.hours(order.tradable.con_ids[0], at.astimezone(NEW_YORK).date())
        return any(since < opens <= at for opens, _closes in hours.liquid)

    def opening_note(self, order: PaperOrder) -> str:
        """Error 399's text for an order that waits for its market to open."""
        opens = self._next_opening(order)
        when = "the next session" if opens is None else f"{opens.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}"
        note = f"your order will not be placed at the exchange until {when} {ZONE_NAME}"
        return f"Order Message:\n{_in_words(order)}\nWarning: {note}"

    def _next_opening(self, order: PaperOrder) -> datetime | None:
        at = self._prices.at
        day = at.astimezone(NEW_YORK).date()
        for _ in range(_DAYS_AHEAD):
            hours = self._market.hours(order.tradable.con_ids[0], day)
            spans = hours.trading if order.ticket.outside_rth else hours.liquid
            for opens, _closes in spans:
                if opens > at:
                    return opens
            day += timedelta(days=1)
        return None


def _in_words(order: PaperOrder) -> str:
    wire = order.tradable.wire
    return f"{order.ticket.action} {order.quantity:f} {wire['symbol']} {wire['exchange']}"


class MarketFacts:
    """`order_conditions.Facts` from prices, accounts and the executions of the day."""

    def __init__(self, prices: Prices, valuer: Valuer, executions: Mapping[str, Execution]) -> None:
        self._prices = prices
        self._valuer = valuer
        self._executions = executions

    @property
    def at(self) -> datetime:
        """Market time."""
        return self._prices.at

    def price(self, con_id: int, method: int, *, rising: bool) -> Decimal | None:
        """Last price, the side that the method names, or the mid; without a last price the mid."""
        quote = self._prices.quote(con_id)
        if quote is None:
            return None
        sided = quote.bid if rising else quote.ask
        values: dict[int, float | None] = {
            TriggerMethod.DOUBLE_BID_ASK: sided,
            TriggerMethod.BID_ASK: sided,
            TriggerMethod.MIDPOINT: quote.mid,
            TriggerMethod.LAST_OR_BID_ASK: _beyond((quote.last, sided), rising=rising),
        }
        value = values.get(method, quote.last)
        value = quote.mid if value is None else value
        return None if value is None else price_of(value)

    def volume(self, con_id: int) -> Decimal | None:
        """Volume of the running session."""
        return price_of(self._prices.statistics(con_id).volume)

    def change_percent(self, con_id: int) -> Decimal | None:
        """Change of the mark since the previous close."""
        mark, previous = self._prices.mark(con_id), self._prices.statistics(con_id).previous_close
        return None if mark is None or not previous else (mark / price_of(previous) - 1) * 100

    def cushion_percent(self, account: str) -> Decimal | None:
        """Excess liquidity in percent of the net liquidation."""
        value = self._valuer.value(account)
        return value.excess_liquidity / value.net_liquidation * 100 if value.net_liquidation else None

    def executed_since(self, account: str, since: datetime, contract: Mapping[str, str]) -> bool:
        """Whether a contract with these fields traded in the account since then."""
        return any(
            execution.account == account
            and execution.at >= since
            and all(_same(name, text, execution.contract) for name, text in contract.items())
            for execution in self._executions.values()
        )


def _same(name: str, text: str, contract: Mapping[str, object]) -> bool:
    return not text or (name == "exchange" and text == "*") or str(contract.get(name, "")).upper() == text


def _beyond(values: Iterable[float | None], *, rising: bool) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return max(known) if rising else min(known)
