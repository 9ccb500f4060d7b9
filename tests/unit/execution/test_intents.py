from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from tests.support.spreads import ACCOUNT, AS_OF, DAY, LEGS, LONG, RULES, SESSION, SHORT, marks_at, plan, signal, trade

from htbot.domain.decisions import Approved
from htbot.domain.errors import StopTrading
from htbot.domain.orders import Action, ExitReason, PriceStyle, Purpose
from htbot.domain.sessions import Session
from htbot.domain.signals import Signal, SpreadPlan
from htbot.domain.trades import TradeState
from htbot.execution.intents import EXIT_STYLES, EntryTerms, closable_quantity, entry_intent, exit_intent

DECISION = Approved(UUID(int=7), AS_OF, ())
TERMS = EntryTerms(
    sequence=2, config_hash="abc123", rules=RULES, floor_credit=Decimal("4.00"), entry_ends=SESSION.at(15, 0)
)


@dataclass(frozen=True)
class Asked:
    signal: Signal
    plan: SpreadPlan
    session: Session = SESSION


def test_an_entry_buys_the_combination_at_a_negative_limit() -> None:
    intent, trade_ = entry_intent(DECISION, Asked(signal(), plan(mid="5.02")), TERMS)
    assert intent.ref == f"htbot-spx_breakout-{ACCOUNT}-20220826-E2"
    assert (intent.purpose, intent.action, intent.style) == (Purpose.ENTRY, Action.BUY, PriceStyle.LADDER)
    assert (intent.limit, intent.worst_limit, intent.tick) == (Decimal("-5.05"), Decimal("-4.00"), Decimal("0.05"))
    assert intent.legs == LEGS
    assert intent.decision_id == DECISION.id
    assert intent.created_at == AS_OF
    assert intent.trade_id == trade_.id == f"spx_breakout-{ACCOUNT}-20220826-2"
    assert (trade_.state, trade_.credit, trade_.rules) == (TradeState.OPENING, None, RULES)
    assert (trade_.session, trade_.width, trade_.config_hash) == (DAY, Decimal(40), "abc123")


@pytest.mark.ruling(8)
def test_rulings_8_good_for_the_ladder_and_10_s_never_beyond_the_window() -> None:
    intent, _ = entry_intent(DECISION, Asked(signal(), plan()), TERMS)
    assert intent.good_till == AS_OF + timedelta(seconds=60)
    late = replace(DECISION, as_of=SESSION.at(15, 0) - timedelta(seconds=20))
    intent, _ = entry_intent(late, Asked(signal(), plan()), TERMS)
    assert intent.good_till == SESSION.at(15, 0)
    with pytest.raises(StopTrading, match="outside the window"):
        entry_intent(replace(DECISION, as_of=SESSION.at(15, 0)), Asked(signal(), plan()), TERMS)


def test_the_floor_is_on_the_grid_and_bounds_the_first_limit() -> None:
    intent, _ = entry_intent(DECISION, Asked(signal(), plan(mid="4.01")), replace(TERMS, floor_credit=Decimal("4.02")))
    assert (intent.limit, intent.worst_limit) == (Decimal("-4.05"), Decimal("-4.05"))


@pytest.mark.parametrize("floor", ["0", "-1", "40", "41"])
def test_a_floor_that_is_no_price_of_the_spread_stops(floor: str) -> None:
    with pytest.raises(StopTrading, match="floor credit"):
        entry_intent(DECISION, Asked(signal(), plan()), replace(TERMS, floor_credit=Decimal(floor)))


def test_an_exit_sells_the_same_combination() -> None:
    intent = exit_intent(trade(), ExitReason.PROFIT_TARGET, marks_at("0.20"), AS_OF, 1, sequence=3)
    assert intent.ref == f"htbot-spx_breakout-{ACCOUNT}-20220826-X3"
    assert (intent.purpose, intent.action, intent.legs) == (Purpose.EXIT, Action.SELL, LEGS)
    assert (intent.limit, intent.worst_limit) == (Decimal("-0.20"), Decimal(-40))
    assert (intent.decision_id, intent.good_till, intent.exit_reason) == (None, None, ExitReason.PROFIT_TARGET)


@pytest.mark.ruling(11)
@pytest.mark.parametrize(
    ("reason", "style"),
    [
        (ExitReason.PROFIT_TARGET, PriceStyle.LADDER),
        (ExitReason.TIME, PriceStyle.TIME),
        (ExitReason.STOP_LOSS, PriceStyle.URGENT),
        (ExitReason.MANUAL, PriceStyle.URGENT),
        (ExitReason.BREAKER, PriceStyle.URGENT),
        (ExitReason.MARKET_CLOSE, PriceStyle.URGENT),
    ],
)
def test_rulings_11_the_reason_decides_how_the_limit_walks(reason: ExitReason, style: PriceStyle) -> None:
    assert exit_intent(trade(), reason, marks_at("6.20"), AS_OF, 1).style is style
    assert set(EXIT_STYLES) == set(ExitReason)


def test_an_urgent_exit_starts_a_tick_beyond_natural_and_never_above_the_width() -> None:
    assert exit_intent(trade(), ExitReason.STOP_LOSS, marks_at("6.20"), AS_OF, 1).limit == Decimal("-6.35")
    assert exit_intent(trade(), ExitReason.STOP_LOSS, marks_at("41.00"), AS_OF, 1).limit == Decimal(-40)


def test_without_prices_time_starts_at_the_stop_and_urgent_at_the_width() -> None:
    assert exit_intent(trade("4.20"), ExitReason.TIME, None, AS_OF, 1).limit == Decimal("-6.20")
    assert exit_intent(trade("4.20"), ExitReason.MANUAL, None, AS_OF, 1).limit == Decimal(-40)


@pytest.mark.ruling(10)
@pytest.mark.parametrize("quantity", [0, -1, 2])
def test_rulings_10_an_exit_never_closes_more_than_the_trade_holds(quantity: int) -> None:
    with pytest.raises(StopTrading, match="which holds 1"):
        exit_intent(trade(), ExitReason.TIME, None, AS_OF, quantity)


@pytest.mark.ruling(10)
@pytest.mark.parametrize(
    ("ours", "broker", "quantity"),
    [
        ((2, -2), None, 2),
        ((2, -2), (2, -2), 2),
        ((2, -2), (1, -2), 1),
        ((2, -2), (2, -1), 1),
        ((2, -2), (0, 0), 0),
        ((2, -2), (-2, 2), 0),
        ((0, 0), (2, -2), 0),
        ((2, 0), (2, -2), 0),
    ],
)
def test_rulings_10_both_books_must_hold_it(
    ours: tuple[int, int], broker: tuple[int, int] | None, quantity: int
) -> None:
    ids = (LONG.con_id, SHORT.con_id)
    held = None if broker is None else dict(zip(ids, broker, strict=True))
    assert closable_quantity(LEGS, dict(zip(ids, ours, strict=True)), held) == quantity
