"""Domain values as JSON columns and back. Decimals travel as text, times as ISO 8601; floats stay floats."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from htbot.domain.decisions import RuleOutcome
from htbot.domain.instruments import Right
from htbot.domain.orders import Action, ExitReason, OrderIntent, PriceStyle, Purpose
from htbot.domain.signals import Leg, PlainLeg, SpreadLeg
from htbot.domain.trades import ExitRules, MomentumExit
from htbot.execution.bid_bars import BidBar, BidBars

JsonObject = dict[str, Any]
_PLAIN = frozenset({type(None), bool, int, float, str})


def legs_to_json(legs: Iterable[Leg]) -> list[JsonObject]:
    """Legs in their order."""
    return [
        {
            "con_id": leg.con_id,
            "symbol": leg.symbol,
            "expiry": None if leg.expiry is None else leg.expiry.isoformat(),
            "strike": None if leg.strike is None else str(leg.strike),
            "right": None if leg.right is None else leg.right.value,
            "ratio": leg.ratio,
            "multiplier": leg.multiplier,
        }
        for leg in legs
    ]


def legs_from_json(raw: Iterable[JsonObject]) -> tuple[Leg, ...]:
    """Legs in their order."""
    return tuple(_leg_from_json(leg) for leg in raw)


def _leg_from_json(raw: JsonObject) -> Leg:
    if raw["expiry"] is None:
        return PlainLeg(raw["con_id"], raw["symbol"], raw["ratio"], raw["multiplier"])
    return SpreadLeg(
        con_id=raw["con_id"],
        symbol=raw["symbol"],
        expiry=date.fromisoformat(raw["expiry"]),
        strike=Decimal(raw["strike"]),
        right=Right(raw["right"]),
        ratio=raw["ratio"],
        multiplier=raw["multiplier"],
    )


def intent_to_json(intent: OrderIntent) -> JsonObject:
    """A whole intent."""
    return {
        "ref": intent.ref,
        "trade_id": intent.trade_id,
        "strategy": intent.strategy,
        "account": intent.account,
        "session": intent.session.isoformat(),
        "purpose": intent.purpose.value,
        "action": intent.action.value,
        "symbol": intent.symbol,
        "quantity": intent.quantity,
        "legs": legs_to_json(intent.legs),
        "limit": str(intent.limit),
        "worst_limit": str(intent.worst_limit),
        "tick": str(intent.tick),
        "style": intent.style.value,
        "created_at": intent.created_at.isoformat(),
        "good_till": None if intent.good_till is None else intent.good_till.isoformat(),
        "decision_id": None if intent.decision_id is None else str(intent.decision_id),
        "exit_reason": None if intent.exit_reason is None else intent.exit_reason.value,
        "group": intent.group,
        "level": intent.level,
    }


def intent_from_json(raw: Mapping[str, Any]) -> OrderIntent:
    """A whole intent."""
    good_till, decision_id, reason = raw["good_till"], raw["decision_id"], raw["exit_reason"]
    return OrderIntent(
        ref=raw["ref"],
        trade_id=raw["trade_id"],
        strategy=raw["strategy"],
        account=raw["account"],
        session=date.fromisoformat(raw["session"]),
        purpose=Purpose(raw["purpose"]),
        action=Action(raw["action"]),
        symbol=raw["symbol"],
        quantity=raw["quantity"],
        legs=legs_from_json(raw["legs"]),
        limit=Decimal(raw["limit"]),
        worst_limit=Decimal(raw["worst_limit"]),
        tick=Decimal(raw["tick"]),
        style=PriceStyle(raw["style"]),
        created_at=datetime.fromisoformat(raw["created_at"]),
        good_till=None if good_till is None else datetime.fromisoformat(good_till),
        decision_id=None if decision_id is None else UUID(decision_id),
        exit_reason=None if reason is None else ExitReason(reason),
        group=raw.get("group"),
        level=raw.get("level"),
    )


def rules_to_json(rules: ExitRules) -> JsonObject:
    """The exit rules that were fixed at entry."""
    return {
        "profit_target_usd": _text(rules.profit_target_usd),
        "stop_loss_usd": _text(rules.stop_loss_usd),
        "exit_at": None if rules.exit_at is None else rules.exit_at.isoformat(),
        "flat_deadline": None if rules.flat_deadline is None else rules.flat_deadline.isoformat(),
        "pnl_basis": rules.pnl_basis,
        "take_profit_fraction": _text(rules.take_profit_fraction),
        "stop_price": _text(rules.stop_price),
        "target_price": _text(rules.target_price),
        "momentum": None if rules.momentum is None else plain(rules.momentum),
    }


def rules_from_json(raw: JsonObject) -> ExitRules:
    """The exit rules that were fixed at entry; older ones have no prices and no momentum."""
    return ExitRules(
        profit_target_usd=_decimal(raw["profit_target_usd"]),
        stop_loss_usd=_decimal(raw["stop_loss_usd"]),
        exit_at=_instant(raw["exit_at"]),
        flat_deadline=_instant(raw["flat_deadline"]),
        pnl_basis=raw["pnl_basis"],
        take_profit_fraction=_decimal(raw["take_profit_fraction"]),
        stop_price=_decimal(raw.get("stop_price")),
        target_price=_decimal(raw.get("target_price")),
        momentum=_momentum(raw.get("momentum")),
    )


def _momentum(raw: JsonObject | None) -> MomentumExit | None:
    if raw is None:
        return None
    return MomentumExit(Decimal(raw["multiple"]), Decimal(raw["wick_ratio"]), raw["bar_minutes"])


def bids_to_json(bids: BidBars) -> JsonObject:
    """The bar of bids that is made, and the one before it."""
    bars = {"last": bids.last, "made": bids.made}
    told = {name: None if bar is None else [str(bid) for bid in astuple(bar)] for name, bar in bars.items()}
    return told | {"start": None if bids.start is None else bids.start.isoformat()}


def bids_from_json(raw: JsonObject) -> BidBars:
    """The bar of bids that is made, and the one before it."""
    last, made = (None if bar is None else BidBar(*map(Decimal, bar)) for bar in (raw["last"], raw["made"]))
    return BidBars(last, None if raw["start"] is None else datetime.fromisoformat(raw["start"]), made)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def outcomes_to_json(outcomes: Iterable[RuleOutcome]) -> list[JsonObject]:
    """Outcomes in the order in which the rules ran."""
    return [
        {
            "rule": outcome.rule,
            "passed": outcome.passed,
            "limit": outcome.limit,
            "value": outcome.value,
            "reason": outcome.reason,
        }
        for outcome in outcomes
    ]


def outcomes_from_json(raw: Iterable[JsonObject]) -> tuple[RuleOutcome, ...]:
    """Outcomes in the order in which the rules ran."""
    return tuple(RuleOutcome(**outcome) for outcome in raw)


def numbers_to_json(numbers: Mapping[str, float]) -> JsonObject:
    """Named float64 values: levels, indicators."""
    return {name: float(value) for name, value in numbers.items()}


def plain(value: object) -> Any:  # noqa: PLR0911
    """Any evidence (marks, quotes, parameters) as JSON for people to read; there is no way back.

    Raises:
        TypeError: the value is of a kind that has no agreed text.
    """
    if type(value) in _PLAIN:  # most of it: a close waits for this
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, UUID):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form in the record")
