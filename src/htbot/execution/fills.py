"""Fills of one order: how many whole spreads they make, and that they are not more than was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.domain.orders import Action, OrderIntent
from htbot.domain.signals import Leg
from htbot.portfolio.pnl import assert_net_price
from htbot.portfolio.positions import latest


def whole_spreads(legs: Sequence[Leg], fills: Iterable[Fill]) -> int:
    """Whole spreads that the leg executions of one order make; a leg that is behind holds the count back."""
    counted = latest(fills)
    units = (sum(fill.quantity for fill in counted if fill.con_id == leg.con_id) // abs(leg.ratio) for leg in legs)
    return min(units, default=0)


def judge_executions(intent: OrderIntent, fills: Sequence[Fill], bag_price: Decimal | None) -> None:
    """Judge what was executed of an order: never more than asked for, legs that sum to the combination's price.

    Raises:
        StopTrading: the broker did something else (RULINGS 3, 15).
    """
    check_fills(intent, fills)
    if bag_price is not None and whole_spreads(intent.legs, fills) == intent.quantity:
        assert_net_price(intent.legs, fills, bag_price)


def check_fills(intent: OrderIntent, fills: Iterable[Fill]) -> None:
    """Check the executions of an intent against what it asked for; called on every execution (RULINGS 15).

    Raises:
        StopTrading: a contract or side that the intent does not trade, or more of a leg than it asked for.
    """
    wanted = {leg.con_id: _signed(intent, leg) for leg in intent.legs}
    done = dict.fromkeys(wanted, 0)
    for fill in latest(fills):
        target = wanted.get(fill.con_id)
        if target is None or target * fill.signed_quantity < 0:
            traded = f"{fill.side} {fill.quantity} of {fill.con_id}"
            raise StopTrading(f"{intent.ref}: execution {fill.exec_id}, {traded}, was not asked for")
        done[fill.con_id] += fill.signed_quantity
        if abs(done[fill.con_id]) > abs(target):
            raise StopTrading(f"{intent.ref}: {done[fill.con_id]} of {fill.con_id} filled, {target} asked for")


def _signed(intent: OrderIntent, leg: Leg) -> int:
    """What the intent trades of a leg, positive when bought: a sold combination sells its long leg."""
    return leg.ratio * intent.quantity * (1 if intent.action is Action.BUY else -1)
