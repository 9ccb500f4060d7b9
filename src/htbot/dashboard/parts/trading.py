"""Contracts, legs and trades in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

from markupsafe import Markup

from htbot.dashboard.parts.markup import fact, tag
from htbot.dashboard.parts.numbers import UNKNOWN, price
from htbot.dashboard.session import PATH
from htbot.domain.orders import PROTECTIVE
from htbot.persistence.queries.shapes import OpenTradeView, OrderView, TradeView

_RIGHTS = {"P": "put", "C": "call"}


class Leg(Protocol):
    """A leg of an order or of a trade."""

    @property
    def symbol(self) -> str:
        """The underlying, or the stock itself."""
        ...

    @property
    def expiry(self) -> date | None:
        """None for what does not expire."""
        ...

    @property
    def strike(self) -> Decimal | None:
        """In points; None for what is no option."""
        ...

    @property
    def right(self) -> str | None:
        """C or P; None for what is no option."""
        ...

    @property
    def side(self) -> str:
        """BUY or SELL."""
        ...

    @property
    def quantity(self) -> int:
        """Contracts of the whole order."""
        ...


def right(letter: str | None) -> str:
    """Put or call."""
    return _RIGHTS.get(letter or "", letter or "")


def strike(value: Decimal) -> str:
    """5395, 412.5."""
    return f"{value.normalize():f}"


def leg_name(leg: Leg) -> str:
    """5395 put, or the symbol of what is no option."""
    return leg.symbol if leg.strike is None else f"{strike(leg.strike)} {right(leg.right)}"


def contract(symbol: str, expiry: date | None, at: Decimal | None, letter: str | None) -> str:
    """SPX 2026-03-03 5395 put, or the symbol of what is no option."""
    return symbol if at is None else f"{symbol} {expiry or ''} {strike(at)} {right(letter)}".replace("  ", " ")


def trade_name(trade: OpenTradeView | TradeView) -> str:
    """SPX bull put 5395/5355, 1 lot; SPX 5395 call, 1 lot; SPY long, 100 shares, or 75 of 100 shares."""
    held = trade.quantity - trade.closed
    number = f"{held} of {trade.quantity}" if 0 < held < trade.quantity else f"{trade.quantity}"
    strikes = "/".join(strike(leg.strike) for leg in trade.legs if leg.strike is not None)
    if not strikes:
        return f"{trade.symbol} {'long' if trade.direction > 0 else 'short'}, {number} shares"
    kind, lots = right(trade.legs[0].right), f"{number} lot{'s' if trade.quantity > 1 else ''}"
    if len(trade.legs) == 1:
        return f"{trade.symbol} {strikes} {kind}, {lots}"
    return f"{trade.symbol} {'bull' if trade.direction > 0 else 'bear'} {kind} {strikes}, {lots}"


def entry_price(trade: OpenTradeView) -> Markup:
    """The credit of a spread, the price of what has one leg; and the mark."""
    note = f"mark {price(trade.mark)}"
    if trade.width is not None:
        return fact("Credit", price(trade.credit), note)
    return fact("Price", price(trade.legs[0].fill), note)


def both_prices(trade: TradeView) -> Markup:
    """The same of a trade that is over, and what it was closed at."""
    if trade.width is not None:
        return fact("Credit", price(trade.credit), f"bought back at {price(trade.debit)}")
    return fact("Price", price(trade.legs[0].fill), f"closed at {price(trade.legs[0].exit_fill)}")


def kind_of(order: OrderView) -> str:
    """What an order is for: entry, exit, stop, target, profit level 1."""
    if order.level is not None:
        return f"profit level {order.level}"
    return order.style if order.style in PROTECTIVE else order.purpose


def trade_link(trade_id: str, text: str) -> Markup:
    """To the page of a trade."""
    return tag("a", text, href=f"{PATH}/trades/{trade_id}")


def leg_series(legs: Sequence[Leg]) -> str:
    """SPX 2026-03-03, of options: their underlying and expiry. Empty of what has its symbol as a leg."""
    return next((f"{leg.symbol} {leg.expiry or ''}".strip() for leg in legs if leg.strike is not None), "")


def legs_in_words(legs: Sequence[Leg]) -> str:
    """Sell 1 5395 put, buy 1 5355 put."""
    told = [f"{leg.side.capitalize()} {leg.quantity} {leg_name(leg)}" for leg in legs]
    return ", ".join(told) or UNKNOWN
