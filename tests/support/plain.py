"""A trade on shares, ready to be put into the record: 100 shares of SPY, with stop and target."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.support.record import ACCOUNT, DAY, at, decision_id

from htbot.domain.orders import Action, OrderIntent, PriceStyle, Purpose, order_reference
from htbot.domain.signals import Direction, PlainLeg
from htbot.domain.trades import ExitRules, Trade, TradeState

STRATEGY, SYMBOL = "breakout-spy", "SPY"
LONG, SHORT = PlainLeg(756, SYMBOL, 1), PlainLeg(756, SYMBOL, -1)
CENT = Decimal("0.01")
RULES = ExitRules(
    profit_target_usd=None,
    stop_loss_usd=None,
    exit_at=at(180),
    flat_deadline=at(225),
    stop_price=Decimal("398.00"),
    target_price=Decimal("404.00"),
)
"""Of a long position entered near 400."""
SHORT_RULES = replace(RULES, stop_price=Decimal("402.00"), target_price=Decimal("396.00"))


def trade(number: int = 1, leg: PlainLeg = LONG, **changes: Any) -> Trade:
    made = Trade(
        id=f"{STRATEGY}-{ACCOUNT}-{DAY:%Y%m%d}-{number}",
        strategy=STRATEGY,
        account=ACCOUNT,
        symbol=SYMBOL,
        session=DAY,
        direction=Direction(leg.ratio),
        state=TradeState.OPENING,
        legs=(leg,),
        quantity=100,
        width=None,
        rules=RULES if leg.ratio > 0 else SHORT_RULES,
        config_hash="c0ffee",
        opened_at=at(number),
    )
    return replace(made, **changes)


def entry(of: Trade, number: int = 1, limit: str = "400.50", **changes: Any) -> OrderIntent:
    """Bought, or sold short, at a limit beyond the touch."""
    signed = of.legs[0].ratio * Decimal(limit)
    made = OrderIntent(
        ref=order_reference(of.strategy, of.account, DAY, Purpose.ENTRY, number),
        trade_id=of.id,
        strategy=of.strategy,
        account=of.account,
        session=DAY,
        purpose=Purpose.ENTRY,
        action=Action.BUY,
        symbol=SYMBOL,
        quantity=of.quantity,
        legs=of.legs,
        limit=signed,
        worst_limit=signed,
        tick=CENT,
        style=PriceStyle.MARKETABLE,
        created_at=of.opened_at,
        good_till=of.opened_at + timedelta(seconds=60),
        decision_id=decision_id(number),
    )
    return replace(made, **changes)
