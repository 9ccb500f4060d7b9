"""Nouns of one SPX day, ready to be put into the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from htbot.domain.alerts import Alert, Severity
from htbot.domain.bars import Bar
from htbot.domain.decisions import Approved, RiskRefusal, RuleOutcome
from htbot.domain.fills import Fill
from htbot.domain.instruments import Right
from htbot.domain.orders import (
    Action,
    ExitReason,
    Order,
    OrderIntent,
    OrderState,
    PriceStyle,
    Purpose,
    order_reference,
)
from htbot.domain.signals import Direction, Evaluation, Signal, SpreadLeg
from htbot.domain.trades import ExitRules, Trade, TradeState

DAY = date(2022, 8, 26)
NOON = datetime(2022, 8, 26, 16, 0, tzinfo=UTC)
STRATEGY, ACCOUNT, SYMBOL, WORLD = "spx_breakout", "DU1000001", "SPX", "world-1"
SHORT = SpreadLeg(11, SYMBOL, DAY, Decimal(4150), Right.PUT, -1)
LONG = SpreadLeg(12, SYMBOL, DAY, Decimal(4110), Right.PUT, 1)
PASSED = RuleOutcome("open_trade", passed=True, limit="0", value="0")
FAILED = RuleOutcome("minimum_credit", passed=False, limit="2.00", value="1.10", reason="credit 1.10 is below 2.00")


def at(minutes: float = 0, seconds: float = 0) -> datetime:
    """A market time near noon of the day."""
    return NOON + timedelta(minutes=minutes, seconds=seconds)


def bar(minutes_ago: int, close: float = 4150.0, **changes: Any) -> Bar:
    made = Bar(SYMBOL, at(-minutes_ago), 5, close, close + 1, close - 1, close, 10.0)
    return replace(made, **changes)


def signal(level: float = 4160.0, **changes: Any) -> Signal:
    made = Signal(
        strategy=STRATEGY,
        account=ACCOUNT,
        symbol=SYMBOL,
        session=DAY,
        as_of=NOON,
        direction=Direction.BULL,
        level=level,
        price=level + 0.5,
        trend=1,
        reason=f"high {level + 0.5} above {level}",
        levels={"high": level, "low": 4100.25},
        indicators={"rsi_ema": 51.125},
    )
    return replace(made, **changes)


def evaluation(**changes: Any) -> Evaluation:
    made = Evaluation(STRATEGY, ACCOUNT, SYMBOL, NOON, 1, 4160.0, 4100.25, "inside the day's range", {"rsi": 48.5})
    return replace(made, **changes)


def decision_id(number: int) -> UUID:
    return uuid5(UUID(int=0), f"decision {number}")


def approval(number: int = 1) -> Approved:
    return Approved(decision_id(number), NOON, (PASSED,))


def refusal(number: int = 1) -> RiskRefusal:
    return RiskRefusal(decision_id(number), NOON, (PASSED, FAILED))


def trade(number: int = 1, **changes: Any) -> Trade:
    made = Trade(
        id=f"{STRATEGY}-{ACCOUNT}-{DAY:%Y%m%d}-{number}",
        strategy=STRATEGY,
        account=ACCOUNT,
        symbol=SYMBOL,
        session=DAY,
        direction=Direction.BULL,
        state=TradeState.OPENING,
        legs=(SHORT, LONG),
        quantity=1,
        width=Decimal(40),
        rules=ExitRules(Decimal(400), Decimal(200), at(180), at(225), take_profit_fraction=Decimal("0.5")),
        config_hash="c0ffee",
        opened_at=at(number),
    )
    return replace(made, **changes)


def entry(of: Trade, number: int = 1, **changes: Any) -> OrderIntent:
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
        limit=Decimal("-4.25"),
        worst_limit=Decimal("-4.00"),
        tick=Decimal("0.05"),
        style=PriceStyle.LADDER,
        created_at=of.opened_at,
        good_till=of.opened_at + timedelta(seconds=40),
        decision_id=decision_id(number),
    )
    return replace(made, **changes)


def exit_of(of: Trade, number: int = 1, **changes: Any) -> OrderIntent:
    made = replace(
        entry(of),
        ref=order_reference(of.strategy, of.account, DAY, Purpose.EXIT, number),
        purpose=Purpose.EXIT,
        action=Action.SELL,
        limit=Decimal("-6.30"),
        worst_limit=Decimal(-40),
        style=PriceStyle.URGENT,
        created_at=of.opened_at + timedelta(minutes=30),
        good_till=None,
        decision_id=None,
        exit_reason=ExitReason.STOP_LOSS,
    )
    return replace(made, **changes)


def order(intent: OrderIntent, **changes: Any) -> Order:
    made = Order(
        ref=intent.ref,
        order_id=7,
        client_id=1,
        account=intent.account,
        purpose=intent.purpose,
        action=intent.action,
        quantity=intent.quantity,
        limit=intent.limit,
        state=OrderState.SUBMITTED,
    )
    return replace(made, **changes)


def fill(intent: OrderIntent, leg: SpreadLeg, exec_id: str, price: str = "5.10", **changes: Any) -> Fill:
    bought = (leg.ratio > 0) == (intent.action is Action.BUY)
    made = Fill(
        exec_id=exec_id,
        ref=intent.ref,
        account=intent.account,
        con_id=leg.con_id,
        symbol=leg.symbol,
        expiry=leg.expiry,
        strike=leg.strike,
        right=leg.right,
        side=Action.BUY if bought else Action.SELL,
        quantity=intent.quantity,
        price=Decimal(price),
        multiplier=leg.multiplier,
        executed_at=intent.created_at + timedelta(seconds=2),
        perm_id=900,
    )
    return replace(made, **changes)


def alert(key: str = "entry-1", **changes: Any) -> Alert:
    made = Alert("entry", Severity.INFO, "HTBot Alert: Trade Entry", "bull put", "<p>bull put</p>", NOON, key, ACCOUNT)
    return replace(made, **changes)
