from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support import plain, spreads
from tests.support.proposals import snapshot
from tests.support.record import approval, at
from tests.support.spreads import SESSION, signal

from htbot.domain.decisions import Approved
from htbot.domain.errors import StopTrading
from htbot.domain.orders import Action, ExitReason, PriceStyle, Purpose
from htbot.domain.quotes import Quote
from htbot.domain.signals import Direction, PlainLeg, PlainPlan
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.execution.exits import ExitWatch, exit_decision
from htbot.execution.intents import (
    EntryTerms,
    ProtectivePlace,
    entry_intent,
    exit_intent,
    protective_intent,
)
from htbot.execution.ladder import limit_at, next_change_s
from htbot.execution.protective import (
    Attempts,
    Change,
    Place,
    ProtectivePrices,
    Standing,
    protective_prices,
    protective_steps,
)
from htbot.portfolio.marks import Marks, mark_spread
from htbot.portfolio.pnl import maximum_loss_usd, open_pnl
from htbot.risk.gate import Proposal

NO_RULES = replace(plain.RULES, stop_price=None, target_price=None)


def opened(leg: PlainLeg = plain.LONG, price: str = "400.00", rules: ExitRules | None = None, **changes: Any) -> Trade:
    made = plain.trade(leg=leg, state=TradeState.OPEN, credit=-leg.ratio * Decimal(price), **changes)
    return made if rules is None else replace(made, rules=rules)


def marks(bid: float | None, ask: float | None, leg: PlainLeg = plain.LONG, late_s: int = 0) -> Marks:
    quote = Quote(leg.con_id, at(10, -late_s), bid, ask, 10.0 if bid else 0.0, 10.0 if ask else 0.0)
    return mark_spread((leg,), {leg.con_id: quote}, at(10))


@pytest.mark.parametrize(
    ("leg", "changes", "stop", "target"),
    [
        (plain.LONG, {}, None, None),
        (plain.LONG, {"stop_loss_usd": Decimal(200)}, "398.00", None),
        (plain.SHORT, {"stop_loss_usd": Decimal(200)}, "402.00", None),
        (plain.LONG, {"profit_target_usd": Decimal(333)}, None, "403.33"),
        (plain.SHORT, {"profit_target_usd": Decimal(333)}, None, "396.67"),
        (plain.LONG, {"stop_price": Decimal("399.111"), "stop_loss_usd": Decimal(200)}, "399.12", None),
        (plain.SHORT, {"stop_price": Decimal("400.889"), "stop_loss_usd": Decimal(200)}, "400.88", None),
        (plain.LONG, {"stop_price": Decimal(390), "stop_loss_usd": Decimal(200)}, "398.00", None),
        (plain.LONG, {"target_price": Decimal("401.001"), "profit_target_usd": Decimal(500)}, None, "401.01"),
        (plain.SHORT, {"target_price": Decimal("398.999"), "profit_target_usd": Decimal(500)}, None, "398.99"),
        (plain.LONG, {"stop_loss_usd": Decimal(50_000)}, None, None),
    ],
)
def test_the_nearer_of_price_and_dollars_on_the_grid(
    leg: PlainLeg, changes: dict[str, Any], stop: str | None, target: str | None
) -> None:
    found = protective_prices(opened(leg, rules=replace(NO_RULES, **changes)))
    wanted = ProtectivePrices(*(None if price is None else Decimal(price) for price in (stop, target)))
    assert found == wanted


@pytest.mark.parametrize(
    ("leg", "average", "stop", "target"),
    [
        (plain.LONG, "100.666667", "100.00", "101.00"),  # 100 at 100 and 200 at 101
        (plain.SHORT, "100.666667", "101.33", "100.33"),
        (plain.SHORT, "100.333333", "101.00", "100.00"),  # 200 at 100 and 100 at 101
    ],
)
def test_an_average_that_is_recorded_rounded_moves_no_price_by_a_cent(
    leg: PlainLeg, average: str, stop: str, target: str
) -> None:
    rules = replace(NO_RULES, stop_loss_usd=Decimal(200), profit_target_usd=Decimal(100))
    held = opened(leg, average, rules, quantity=300)
    assert protective_prices(held) == ProtectivePrices(Decimal(stop), Decimal(target))


def test_a_spread_and_an_entry_without_a_fill_have_none() -> None:
    assert protective_prices(spreads.trade()) == ProtectivePrices()
    assert protective_prices(plain.trade()) == ProtectivePrices()


@pytest.mark.parametrize("leg", [plain.LONG, plain.SHORT])
def test_an_approved_entry_is_one_limit_beyond_the_touch(leg: PlainLeg) -> None:
    worst = Decimal("400.00") + leg.ratio
    plan = PlainPlan("SPY", leg, 100, Decimal("400.00"), worst, plain.CENT)
    fired = replace(signal(Direction(leg.ratio)), symbol="SPY")
    terms = EntryTerms(1, "hash", plain.RULES, None, SESSION.at(15, 0))
    decision = Approved(approval().id, SESSION.at(10, 30), ())
    intent, trade = entry_intent(decision, Proposal(fired, plan, snapshot(), SESSION), terms)
    assert (intent.style, intent.action, intent.limit) == (PriceStyle.MARKETABLE, Action.BUY, leg.ratio * worst)
    assert intent.worst_limit == intent.limit
    assert intent.good_till is not None
    assert (trade.width, trade.legs, trade.plain, trade.units) == (None, (leg,), leg, 100)
    assert limit_at(intent, None, 30.0, intent.limit) == intent.limit
    assert next_change_s(intent, 0.0) is None
    beside = replace(plan, worst=Decimal("400.00") - leg.ratio)
    with pytest.raises(StopTrading, match="does not reach the touch"):
        entry_intent(decision, Proposal(fired, beside, snapshot(), SESSION), terms)


@pytest.mark.ruling(11)
@pytest.mark.parametrize("reason", ExitReason)
@pytest.mark.parametrize(("leg", "seen"), [(plain.LONG, "399.90"), (plain.SHORT, "-399.92")])
def test_every_exit_that_we_make_is_at_the_market(leg: PlainLeg, seen: str, reason: ExitReason) -> None:
    close = exit_intent(opened(leg), reason, marks(399.90, 399.92, leg), at(10), 100)
    assert (close.style, close.action, close.purpose) == (PriceStyle.MARKET, Action.SELL, Purpose.EXIT)
    assert (close.limit, close.tick) == (Decimal(seen), plain.CENT)
    blind = exit_intent(opened(leg), reason, None, at(10), 100)
    assert blind.limit == leg.ratio * Decimal(400), "without a quote the price of the entry"


def test_only_a_plain_trade_has_a_protective_order() -> None:
    place = ProtectivePlace(1, "group", 1)
    with pytest.raises(StopTrading, match="cannot have"):
        protective_intent(spreads.trade(), PriceStyle.STOP, Decimal(1), at(1), place)
    with pytest.raises(StopTrading, match="cannot have"):
        protective_intent(opened(), PriceStyle.MARKET, Decimal(1), at(1), place)


@pytest.mark.parametrize(("leg", "profit"), [(plain.LONG, "-200"), (plain.SHORT, "196")])
def test_profit_is_that_of_the_price(leg: PlainLeg, profit: str) -> None:
    """Bought at 400 and sold at 398, or sold short at 400 and bought back at 398.04."""
    assert open_pnl(opened(leg), marks(398.00, 398.04, leg), "natural") == Decimal(profit)


@pytest.mark.parametrize(
    ("leg", "bid", "reason"),
    [
        (plain.LONG, 397.99, ExitReason.STOP_LOSS),
        (plain.LONG, 404.00, ExitReason.PROFIT_TARGET),
        (plain.LONG, 398.01, None),
        (plain.SHORT, 401.99, ExitReason.STOP_LOSS),
        (plain.SHORT, 395.98, ExitReason.PROFIT_TARGET),
        (plain.SHORT, 401.90, None),
    ],
)
def test_the_guard_knows_the_same_prices(leg: PlainLeg, bid: float, reason: ExitReason | None) -> None:
    seen = marks(bid, round(bid + 0.02, 2), leg)
    decision, _ = exit_decision(opened(leg), seen, ExitWatch(), at(10))
    assert (None if decision is None else decision.reason) is reason


@pytest.mark.parametrize(("bid", "ask", "doubt"), [(None, 400.0, "has no bid"), (399.0, 402.0, "wide")])
def test_a_stock_without_a_bid_is_unknown_and_not_worthless(bid: float | None, ask: float, doubt: str) -> None:
    seen = marks(bid, ask)
    assert doubt in (seen.doubt or "")
    assert exit_decision(opened(), seen, ExitWatch(), at(10))[0] is None
    if bid is None:
        assert seen.natural_cost is None


def test_a_short_without_an_ask_is_halted_and_not_closed_blindly() -> None:
    watch = ExitWatch()
    for minute in range(1, 5):
        decision, watch = exit_decision(opened(plain.SHORT), marks(400.0, None, plain.SHORT), watch, at(minute))
        assert decision is None


@pytest.mark.parametrize(
    ("changes", "loss"),
    [
        ({}, "40000"),
        ({"stop_price": Decimal(398)}, "200"),
        ({"stop_price": Decimal(398), "stop_loss_usd": Decimal(150)}, "150"),
        ({"stop_price": Decimal(401)}, "0"),
    ],
)
def test_the_most_that_shares_can_lose(changes: dict[str, Any], loss: str) -> None:
    assert maximum_loss_usd(opened(rules=replace(NO_RULES, **changes))) == Decimal(loss)
    assert maximum_loss_usd(plain.trade()) is None


@pytest.mark.parametrize("leg", [plain.LONG, plain.SHORT])
def test_people_are_shown_the_price_of_shares_and_the_cost_of_spreads(leg: PlainLeg) -> None:
    seen = marks(398.00, 398.04, leg)
    assert opened(leg).shown(seen.mid_cost) == Decimal("398.02")
    assert opened(leg).shown(None) is None
    assert spreads.trade().shown(Decimal("1.20")) == Decimal("1.20")


def standing(style: PriceStyle, limit: str, size: int = 100, **changes: Any) -> Standing:
    made = Standing(f"X-{style.value}", Decimal(limit), size, most=100, booked=0, changeable=True)
    return replace(made, **changes)


def test_what_is_missing_is_placed_the_stop_first() -> None:
    steps = protective_steps(opened(), 40, {}, Attempts(), at(10))
    assert steps == [
        Place(PriceStyle.STOP, Decimal("398.00"), 40),
        Place(PriceStyle.TARGET, Decimal("404.00"), 40),
    ]
    assert protective_steps(opened(), 0, {}, Attempts(), at(10)) == []


def test_what_stands_follows_the_units_and_counts_what_it_has_closed() -> None:
    known = {
        PriceStyle.STOP: standing(PriceStyle.STOP, "398.00", 40),
        PriceStyle.TARGET: standing(PriceStyle.TARGET, "404.00", 100, booked=30),
    }
    steps = protective_steps(opened(), 70, known, Attempts(), at(10))
    assert steps == [Change("X-stop", Decimal("398.00"), 70)]
    assert protective_steps(opened(leg=plain.SHORT), 70, {}, Attempts(), at(10))[0] == Place(
        PriceStyle.STOP, Decimal("402.00"), 70
    )


@pytest.mark.parametrize("changes", [{"changeable": False}, {"most": 60}])
def test_what_the_broker_does_not_work_yet_or_was_promised_smaller_is_left_alone(changes: dict[str, Any]) -> None:
    known = {style: standing(style, "1.00", 40, **changes) for style in (PriceStyle.STOP, PriceStyle.TARGET)}
    assert protective_steps(opened(), 70, known, Attempts(), at(10)) == []


def test_neither_a_change_nor_a_replacement_comes_in_a_storm() -> None:
    attempts = Attempts(changed_at={"X-stop": at(10)})
    known = {PriceStyle.STOP: standing(PriceStyle.STOP, "398.00", 40)}
    attempts.note_place(PriceStyle.TARGET, at(10))
    assert protective_steps(opened(), 70, known, attempts, at(10)) == []
    later = at(10) + timedelta(seconds=1)
    assert protective_steps(opened(), 70, known, attempts, later) == [
        Change("X-stop", Decimal("398.00"), 70),
        Place(PriceStyle.TARGET, Decimal("404.00"), 70),
    ]
