"""A bought call on SPX and its put, with their quotes and trades, for tests of long single options."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.support import spreads
from tests.support.spreads import AS_OF, DAY, quote

from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote
from htbot.domain.signals import Direction, SinglePlan, SpreadLeg
from htbot.domain.trades import MomentumExit, Trade
from htbot.portfolio.marks import Marks, mark_spread

CALL = SpreadLeg(21, "SPX", DAY, Decimal(4260), Right.CALL, 1)
PUT = SpreadLeg(22, "SPX", DAY, Decimal(4080), Right.PUT, 1)
RULES = replace(
    spreads.RULES, profit_target_usd=None, stop_loss_usd=None, momentum=MomentumExit(Decimal(3), Decimal(2), 15)
)
TICK = Decimal("0.05")


def quotes(bid: float | None, ask: float | None, at: datetime = AS_OF, leg: SpreadLeg = CALL) -> dict[int, Quote]:
    return {leg.con_id: quote(leg.con_id, bid, ask, at)}


def marks(bid: float | None, ask: float | None, at: datetime = AS_OF) -> Marks:
    return mark_spread((CALL,), quotes(bid, ask, at), at)


def trade(paid: str | None = "1.00", quantity: int = 1, **changes: Any) -> Trade:
    """A call that was bought; it leaves by time and momentum."""
    credit = None if paid is None else -Decimal(paid)
    made = replace(spreads.trade(quantity=quantity, rules=RULES), legs=(CALL,), width=None, credit=credit)
    return replace(made, **changes)


def plan(quantity: int = 1, leg: SpreadLeg = CALL, mid: str = "1.90", natural: str = "2.00") -> SinglePlan:
    return SinglePlan("SPX", leg, quantity, Decimal(mid), Decimal(natural), TICK)


def side_of(leg: SpreadLeg) -> Direction:
    return Direction.BULL if leg.right is Right.CALL else Direction.BEAR
