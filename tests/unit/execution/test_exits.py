from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.spreads import AS_OF, LEGS, RULES, SESSION, marks_at, quotes, trade

from htbot.domain.orders import ExitReason
from htbot.execution.exits import ExitWatch, exit_decision
from htbot.execution.intents import exit_intent
from htbot.execution.ladder import limit_at
from htbot.portfolio.marks import Marks, mark_spread

NEW = ExitWatch()
SOLD = next(leg.con_id for leg in LEGS if leg.ratio < 0)


def later(seconds: float) -> datetime:
    return AS_OF + timedelta(seconds=seconds)


def test_spec_01_section_7_stop_at_minus_200() -> None:
    decision, _ = exit_decision(trade("4.20"), marks_at("6.20"), NEW, AS_OF)
    assert decision is not None
    assert decision.reason is ExitReason.STOP_LOSS
    assert (decision.limit, decision.value, decision.pnl_usd) == ("-200.00", "-200.00", Decimal(-200))
    assert decision.marks == marks_at("6.20")
    assert decision.detail == "P&L at mid -200.00 USD, at natural -210.00 USD"


def test_a_cent_before_the_stop_stays() -> None:
    decision, watch = exit_decision(trade("4.20"), marks_at("6.19"), NEW, AS_OF)
    assert decision is None
    assert watch.pending is None


def test_the_basis_is_mid_unless_natural_is_asked_for() -> None:
    marks = marks_at("6.15", half_width="0.10")  # natural 6.25
    assert exit_decision(trade("4.20"), marks, NEW, AS_OF)[0] is None
    natural = trade("4.20", rules=replace(RULES, pnl_basis="natural"))
    decision, _ = exit_decision(natural, marks, NEW, AS_OF)
    assert decision is not None
    assert decision.reason is ExitReason.STOP_LOSS


@pytest.mark.ruling(6)
def test_rulings_6_a_target_at_mid_wants_a_second_quote() -> None:
    first, watch = exit_decision(trade("4.20"), marks_at("0.20"), NEW, AS_OF)
    assert first is None
    assert (watch.pending, watch.since) == (ExitReason.PROFIT_TARGET, AS_OF)
    same_quote, watch = exit_decision(trade("4.20"), marks_at("0.20"), watch, later(3))
    assert same_quote is None
    too_soon, watch = exit_decision(trade("4.20"), marks_at("0.20", later(0.9)), watch, later(0.9))
    assert too_soon is None
    second, watch = exit_decision(trade("4.20"), marks_at("0.20", later(1)), watch, later(1))
    assert second is not None
    assert (second.reason, second.limit, second.value) == (ExitReason.PROFIT_TARGET, "400.00", "400.00")
    again, watch = exit_decision(trade("4.20"), marks_at("0.20", later(1.5)), watch, later(1.5))
    assert again is not None
    ended, watch = exit_decision(trade("4.20"), marks_at("0.30", later(2)), watch, later(2))
    assert ended is None
    assert watch.pending is None


@pytest.mark.ruling(6)
def test_rulings_6_a_quote_between_starts_again() -> None:
    _, watch = exit_decision(trade("4.20"), marks_at("0.20"), NEW, AS_OF)
    _, watch = exit_decision(trade("4.20"), marks_at("0.30", later(1)), watch, later(1))
    decision, watch = exit_decision(trade("4.20"), marks_at("0.20", later(2)), watch, later(2))
    assert decision is None
    assert watch.since == later(2)


@pytest.mark.ruling(6)
def test_rulings_6_a_target_on_the_natural_price_is_taken_at_once() -> None:
    decision, _ = exit_decision(trade("4.20"), marks_at("0.10", half_width="0.10"), NEW, AS_OF)
    assert decision is not None
    assert decision.reason is ExitReason.PROFIT_TARGET


@pytest.mark.ruling(6)
@pytest.mark.parametrize("cost", ["9.00", "0.05"])
def test_rulings_6_prices_that_are_not_believed_close_nothing(cost: str) -> None:
    stale = marks_at(cost)
    aged = mark_spread(LEGS, quotes((9.0, 9.1), (1.0, 1.1), AS_OF), later(6))
    wide = marks_at("9.00", half_width="2.00")
    for marks in (aged, wide, replace(stale, doubt="crossed"), None):
        decision, watch = exit_decision(
            trade("4.20"), marks, ExitWatch(pending=ExitReason.STOP_LOSS, since=AS_OF), later(6)
        )
        assert decision is None
        assert watch.pending is None


@pytest.mark.ruling(5)
def test_rulings_5_a_worthless_wing_does_not_disable_the_stop() -> None:
    marks = mark_spread(LEGS, quotes((6.10, 6.40), (-1.0, 0.05)), AS_OF)
    decision, _ = exit_decision(trade("4.20"), marks, NEW, AS_OF)
    assert decision is not None
    assert decision.reason is ExitReason.STOP_LOSS


def dead_wing(short: tuple[float, float], at: datetime) -> Marks:
    """The bought leg has no quote at all: its line has ended or was refused."""
    told = quotes(short, (1.0, 1.1), at)
    return mark_spread(LEGS, {leg.con_id: told[leg.con_id] for leg in LEGS if leg.ratio < 0}, at)


@pytest.mark.ruling(5)
@pytest.mark.parametrize(("short", "stops"), [((6.10, 6.40), True), ((4.00, 4.30), False), ((0.10, 0.15), False)])
def test_rulings_5_a_dead_wing_switches_the_stop_off_for_15_s_only(short: tuple[float, float], *, stops: bool) -> None:
    _, watch = exit_decision(trade("4.20"), marks_at("4.00"), NEW, AS_OF)
    for seconds in (1, 8, 15.9):
        decision, watch = exit_decision(trade("4.20"), dead_wing(short, later(seconds)), watch, later(seconds))
        assert decision is None
    decision, watch = exit_decision(trade("4.20"), dead_wing(short, later(16)), watch, later(16))
    assert (decision is not None) is stops
    if decision is not None:
        assert (decision.reason, decision.limit, decision.value) == (ExitReason.STOP_LOSS, "-200.00", "-205.00")
        made = exit_intent(trade("4.20"), decision.reason, decision.marks, later(16), 1)
        assert made.limit == Decimal("-6.45"), "the short ask alone and a tick"
        assert limit_at(made, dead_wing((7.0, 7.3), later(19)), 3.0, made.limit) == Decimal("-7.45")
    decision, watch = exit_decision(trade("4.20"), marks_at("4.00", later(17)), watch, later(17))
    assert (decision, watch.wing_blind_since) == (None, None)


@pytest.mark.ruling(6)
@pytest.mark.parametrize("short", [(6.10, 9.40), (6.40, 6.10)])
def test_rulings_6_beside_a_dead_wing_the_sold_leg_has_to_be_believable(short: tuple[float, float]) -> None:
    watch = NEW
    for seconds in range(30):
        decision, watch = exit_decision(trade("4.20"), dead_wing(short, later(seconds)), watch, later(seconds))
        assert decision is None
    aged = dead_wing((6.10, 6.40), later(30))
    stale = mark_spread(LEGS, {SOLD: quotes((6.10, 6.40), (1.0, 1.1), later(20))[SOLD]}, later(30))
    assert exit_decision(trade("4.20"), stale, watch, later(30))[0] is None
    assert exit_decision(trade("4.20"), aged, watch, later(30))[0] is not None


def test_three_o_clock_comes_before_stop_and_target() -> None:
    at = SESSION.at(15, 0)
    for cost in ("6.20", "0.05"):
        decision, _ = exit_decision(trade("4.20"), marks_at(cost, at), NEW, at)
        assert decision is not None
        assert decision.reason is ExitReason.TIME
        assert decision.limit == at.isoformat()
    before = at - timedelta(seconds=1)
    decision, _ = exit_decision(trade("4.20"), marks_at("6.20", before), NEW, before)
    assert decision is not None
    assert decision.reason is ExitReason.STOP_LOSS


def test_time_needs_no_price() -> None:
    for reason, at in ((ExitReason.TIME, SESSION.at(15, 0)), (ExitReason.MARKET_CLOSE, SESSION.at(15, 45))):
        decision, _ = exit_decision(trade(None), None, NEW, at)
        assert decision is not None
        assert (decision.reason, decision.pnl_usd) == (reason, None)


@pytest.mark.ruling(5)
def test_rulings_5_a_sold_leg_without_ask_holds_15_s_then_closes() -> None:
    good = marks_at("4.00")
    _, watch = exit_decision(trade("4.20"), good, NEW, AS_OF)
    for seconds in (0, 5, 10, 14.9):
        blind = mark_spread(LEGS, quotes((6.0, None), (1.8, 2.0), later(seconds)), later(seconds))
        decision, watch = exit_decision(trade("4.20"), blind, watch, later(seconds))
        assert decision is None
        assert watch.last_good == good
    blind = mark_spread(LEGS, quotes((6.0, None), (1.8, 2.0), later(15)), later(15))
    decision, _ = exit_decision(trade("4.20"), blind, watch, later(15))
    assert decision is not None
    assert (decision.reason, decision.detail) == (ExitReason.OTHER, "the sold leg has had no ask for 15 s")


def test_an_ask_that_returns_ends_the_blindness() -> None:
    blind = mark_spread(LEGS, quotes((6.0, None), (1.8, 2.0)), AS_OF)
    _, watch = exit_decision(trade("4.20"), blind, NEW, AS_OF)
    assert watch.blind_since == AS_OF
    _, watch = exit_decision(trade("4.20"), marks_at("4.00", later(10)), watch, later(10))
    assert watch.blind_since is None


def test_the_maximum_gain_runs_over_believable_prices() -> None:
    watch = NEW
    for seconds, cost in enumerate(("4.00", "3.00", "3.50")):
        _, watch = exit_decision(trade("4.20"), marks_at(cost, later(seconds)), watch, later(seconds))
    assert watch.max_gain_usd == Decimal(120)
    _, watch = exit_decision(trade("4.20"), replace(marks_at("1.00"), doubt="stale"), watch, later(9))
    assert watch.max_gain_usd == Decimal(120)


def test_a_share_of_the_credit_can_be_the_nearer_target() -> None:
    rules = replace(RULES, take_profit_fraction=Decimal("0.50"))
    decision, _ = exit_decision(trade("4.20", rules=rules), marks_at("2.00"), NEW, AS_OF)
    assert decision is not None
    assert (decision.reason, decision.limit) == (ExitReason.PROFIT_TARGET, "210.00")


def test_target_and_stop_are_of_the_whole_trade() -> None:
    decision, _ = exit_decision(trade("4.20", quantity=2), marks_at("5.20"), NEW, AS_OF)
    assert decision is not None
    assert decision.value == "-200.00"
