from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.breakout_world import World, limits_of, session_on

from htbot.domain.bars import Bar
from htbot.domain.decisions import Approved, RiskRefusal
from htbot.domain.errors import CallerMistake
from htbot.domain.instruments import Right
from htbot.domain.orders import Action, Purpose
from htbot.domain.quotes import Quote
from htbot.domain.signals import Direction
from htbot.domain.trades import TradeState
from htbot.engine.cycle import CycleInputs, CycleOutcome, decide
from htbot.marketdata.snapshot import OpenBar, Snapshot
from htbot.risk.book import Book
from htbot.risk.gate import decision_id
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout

SESSION = session_on(2022, 8, 26, opens=(13, 30))
FIVE = timedelta(minutes=5)
STRATEGY = SpxBreakout(BreakoutConfig(rsi_window=2, ema_span=2))


def minutes_in(count: float) -> datetime:
    return SESSION.opens + timedelta(minutes=count)


def bars(*shapes: tuple[float, float, float, float]) -> list[Bar]:
    return [Bar("SPX", SESSION.opens + number * FIVE, 5, *shape) for number, shape in enumerate(shapes)]


def climbing() -> list[Bar]:
    """Ten bars that rise without a new high after the first, then bar 10 (10:20) breaks the high of 4110."""
    shapes = [(4100.0, 4110.0, 4090.0, 4095.0)]
    shapes += [(4095.0 + number, 4097.0 + number, 4094.0 + number, 4096.0 + number) for number in range(9)]
    shapes += [(4104.0, 4112.0, 4103.0, 4111.0), (4111.0, 4111.5, 4110.5, 4111.0), (4111.0, 4111.5, 4110.5, 4111.0)]
    return bars(*shapes)


@pytest.fixture
def world() -> World:
    return World(SESSION, climbing())


def inputs(world: World, at: datetime, **changes: Any) -> CycleInputs:
    default = CycleInputs(
        strategy=STRATEGY,
        snapshot=world.snapshot(at),
        session=SESSION,
        bars=world.closed(at),
        book=Book(reconciled=True),
        limits=limits_of("SPX"),
        as_of=at,
    )
    return replace(default, **changes)


def snapshot_of(world: World, at: datetime, **changes: Any) -> Snapshot:
    return replace(world.snapshot(at), **changes)


def why_not(outcome: CycleOutcome) -> str:
    assert outcome.signal is None
    assert outcome.evaluation.why_not is not None
    return outcome.evaluation.why_not


# --- the chain --------------------------------------------------------------------------------------------------------


def test_a_breakout_becomes_an_order(world: World) -> None:
    """The open bar of 10:20 reaches 4112 two thirds into it; at 10:22:30 it is beyond the day's high of 4110."""
    outcome = decide(inputs(world, minutes_in(53)))
    signal, plan, intent, trade = outcome.signal, outcome.plan, outcome.intent, outcome.trade
    assert signal is not None
    assert (signal.direction, signal.level, signal.trend) == (Direction.BULL, 4110.0, 1)
    assert 4110 < signal.price < 4112
    assert signal.session == SESSION.day
    assert signal.as_of == minutes_in(53)
    assert signal.levels == {"high": 4110.0, "low": 4090.0}
    assert set(signal.indicators) == {"rsi", "rsi_ema", "bars"}
    assert outcome.evaluation.why_not is None
    assert isinstance(outcome.decision, Approved)
    assert plan is not None
    assert (plan.width, plan.quantity, plan.tick) == (40, 1, Decimal("0.05"))
    assert {plan.short_leg.right, plan.long_leg.right} == {Right.PUT}
    assert plan.short_leg.strike - plan.long_leg.strike == 40
    assert plan.short_leg.strike < Decimal(4110)
    assert plan.natural_credit <= plan.mid_credit
    assert intent is not None
    assert (intent.purpose, intent.action, intent.quantity) == (Purpose.ENTRY, Action.BUY, 1)
    assert intent.ref == "htbot-spx_breakout-DU1000001-20220826-E1"
    assert intent.decision_id == outcome.decision.id == decision_id(signal)
    assert intent.limit < 0
    assert trade is not None
    assert (trade.state, trade.config_hash) == (TradeState.OPENING, STRATEGY.config_hash)
    assert (trade.rules.exit_at, trade.rules.flat_deadline) == (SESSION.at(15, 0), SESSION.at(15, 45))


def test_below_the_level_the_evaluation_says_so(world: World) -> None:
    outcome = decide(inputs(world, minutes_in(51)))
    assert why_not(outcome).startswith("trend up: ")
    assert why_not(outcome).endswith(" is not above the day's high 4110")
    evaluation = outcome.evaluation
    assert (evaluation.trend, evaluation.high, evaluation.low) == (1, 4110.0, 4090.0)
    assert evaluation.indicators["bars"] == 10
    assert outcome.decision is outcome.intent is outcome.trade is outcome.plan is None


def test_the_level_of_the_bar_that_closes_is_the_one_when_it_began(world: World) -> None:
    """At 10:25 the bar of 10:20 is closed: it is held against 4110, not against its own high of 4112."""
    outcome = decide(inputs(world, minutes_in(55)))
    assert outcome.signal is not None
    assert (outcome.signal.level, outcome.signal.price) == (4110.0, 4112.0)
    assert outcome.evaluation.high == 4110.0
    assert outcome.evaluation.indicators["bars"] == 10


def test_when_the_closing_bar_is_used_up_the_open_bar_is_looked_at(world: World) -> None:
    spent = Book(reconciled=True, spent_levels=frozenset({(1, 4110.0)}))
    outcome = decide(inputs(world, minutes_in(55), book=spent))
    assert why_not(outcome) == "trend up: 4111 is not above the day's high 4112"
    assert outcome.evaluation.indicators["bars"] == 11


def test_one_signal_per_instant() -> None:
    """The bar that closes breaks 4110 and the open bar opens above its high: the closing bar wins."""
    shapes = climbing()
    shapes[11] = replace(shapes[11], open=4120.0, high=4121.0)
    outcome = decide(inputs(World(SESSION, shapes), minutes_in(55)))
    assert outcome.signal is not None
    assert outcome.signal.level == 4110.0
    later = Book(reconciled=True, spent_levels=frozenset({(1, 4110.0)}))
    outcome = decide(inputs(World(SESSION, shapes), minutes_in(55), book=later))
    assert outcome.signal is not None
    assert (outcome.signal.level, outcome.signal.price) == (4112.0, 4120.0)


def test_the_trend_of_the_closing_bar_is_that_before_it() -> None:
    """Its own close would turn the trend down; the trend when it began was up."""
    shapes = climbing()
    shapes[10] = replace(shapes[10], close=4091.0, low=4090.5)
    outcome = decide(inputs(World(SESSION, shapes), minutes_in(55)))
    assert outcome.signal is not None
    assert outcome.signal.trend == 1
    spent = Book(reconciled=True, spent_levels=frozenset({(1, 4110.0)}))
    assert decide(inputs(World(SESSION, shapes), minutes_in(55), book=spent)).evaluation.trend == -1


# --- what was watched -------------------------------------------------------------------------------------------------


def test_a_wick_older_than_the_watch_is_no_signal(world: World) -> None:
    """RULINGS 2: started at 10:24, after the wick of 10:23:20: what was seen of the bar since decides."""
    seen = OpenBar(climbing()[10], 4109.0, 4105.0)
    late = snapshot_of(world, minutes_in(55), last_closed=seen, watching_since=minutes_in(54))
    assert decide(inputs(world, minutes_in(55), snapshot=late)).signal is None
    seen = OpenBar(climbing()[10], 4111.0, 4105.0)
    late = snapshot_of(world, minutes_in(55), last_closed=seen, watching_since=minutes_in(54))
    outcome = decide(inputs(world, minutes_in(55), snapshot=late))
    assert outcome.signal is not None
    assert outcome.signal.price == 4111.0


def test_a_bar_that_began_after_the_watch_counts_whole(world: World) -> None:
    blind = OpenBar(climbing()[10], None, None)
    since = snapshot_of(world, minutes_in(55), last_closed=blind, watching_since=minutes_in(50))
    assert decide(inputs(world, minutes_in(55), snapshot=since)).signal is not None
    never = snapshot_of(world, minutes_in(55), last_closed=blind, watching_since=None, open_bar=None)
    assert why_not(decide(inputs(world, minutes_in(55), snapshot=never))) == "nothing has been watched of this bar yet"


def test_a_bar_that_closed_instants_ago_is_not_looked_at_again(world: World) -> None:
    old = snapshot_of(world, minutes_in(55.5), last_closed=OpenBar(climbing()[10], 4112.0, 4103.0))
    assert decide(inputs(world, minutes_in(55.5), snapshot=old)).signal is None


def test_a_live_bar_confirmed_late_is_looked_at_once(world: World) -> None:
    """A live feed confirms a bar's end seconds after it: before that it still stands as the open bar."""
    ended = OpenBar(climbing()[10], 4112.0, 4103.0)
    unconfirmed = snapshot_of(world, minutes_in(55), last_closed=None, open_bar=ended)
    outcome = decide(inputs(world, minutes_in(55), snapshot=unconfirmed, bars=world.closed(minutes_in(50))))
    assert outcome.signal is not None
    assert outcome.signal.level == 4110.0
    confirmed = snapshot_of(world, minutes_in(55) + timedelta(seconds=20), last_closed=ended)
    outcome = decide(inputs(world, minutes_in(55) + timedelta(seconds=20), snapshot=confirmed))
    assert outcome.signal is not None
    assert outcome.signal.level == 4110.0


def test_the_bar_just_closed_counts_before_its_row_is_there(world: World) -> None:
    without_row = decide(inputs(world, minutes_in(60), bars=world.closed(minutes_in(59))))
    with_row = decide(inputs(world, minutes_in(60)))
    assert without_row == with_row


# --- nothing can be decided -------------------------------------------------------------------------------------------


def obstacles() -> Iterator[Any]:
    at = minutes_in(53)
    yield pytest.param({"connected": False}, {}, "the desk has no connection to the broker", id="disconnected")
    yield pytest.param({"trading_enabled": False}, {}, "the desk has not enabled trading", id="disabled")
    yield pytest.param({"as_of": at - timedelta(seconds=6)}, {}, "the snapshot is 6 s old, limit 5 s", id="stale")
    yield pytest.param({"as_of": at + timedelta(seconds=1)}, {}, "the snapshot is 1 s younger than", id="from later")
    yield pytest.param({}, {"book": Book(halted_by="halt by a person")}, "halt by a person", id="halted")
    paused = "the scheduler is paused by a person"
    yield pytest.param({}, {"book": Book(halted_by=paused)}, paused, id="a pause is no halt")
    yield pytest.param({}, {"session": None}, "2022-08-26 is not a session of the exchange", id="no session")
    yield pytest.param({"open_bar": None}, {}, "there is no open bar", id="no open bar")


@pytest.mark.parametrize(("of_snapshot", "of_inputs", "text"), list(obstacles()))
def test_missing_data_is_an_evaluation_without_a_signal(
    world: World, of_snapshot: dict[str, Any], of_inputs: dict[str, Any], text: str
) -> None:
    at = minutes_in(53)
    outcome = decide(inputs(world, at, snapshot=snapshot_of(world, at, **of_snapshot), **of_inputs))
    assert text in why_not(outcome)
    assert outcome.evaluation.trend == 1
    assert outcome.evaluation.as_of == at


def test_after_the_close_the_market_is_closed(world: World) -> None:
    assert why_not(decide(inputs(world, SESSION.closes))) == "the market is closed at 16:00:00"


def test_an_open_trade_waits(world: World) -> None:
    busy = Book(reconciled=True, open_trades=1)
    assert why_not(decide(inputs(world, minutes_in(53), book=busy))) == "a trade is open or an entry is working"


def test_without_history_the_evaluation_warms_up(world: World) -> None:
    strategy = SpxBreakout(BreakoutConfig())
    assert why_not(decide(inputs(world, minutes_in(53), strategy=strategy))) == "warming up: 10 of 204 bars"


# --- refused signals --------------------------------------------------------------------------------------------------


def refusal(outcome: CycleOutcome) -> RiskRefusal:
    """RULINGS 22: a signal that cannot be traded is stored, refused, with its reason."""
    assert outcome.signal is not None
    assert outcome.evaluation.why_not is None
    assert outcome.intent is outcome.trade is None
    assert isinstance(outcome.decision, RiskRefusal)
    assert outcome.decision.id == decision_id(outcome.signal)
    return outcome.decision


def test_without_a_chain_the_signal_is_refused(world: World) -> None:
    at = minutes_in(53)
    decision = refusal(decide(inputs(world, at, snapshot=snapshot_of(world, at, options=()))))
    assert decision.refused_by.rule == "chain"
    assert "0 puts expiring 2022-08-26" in decision.refused_by.reason


def test_the_am_settled_class_is_not_traded(world: World) -> None:
    at = minutes_in(53)
    monthly = tuple(replace(option, trading_class="SPX") for option in world.options)
    decision = refusal(decide(inputs(world, at, snapshot=snapshot_of(world, at, options=monthly))))
    assert decision.refused_by.rule == "chain"


def test_a_gap_in_the_chain_is_refused(world: World) -> None:
    at = minutes_in(53)
    gap = tuple(option for option in world.options if option.strike != 4085)
    decision = refusal(decide(inputs(world, at, snapshot=snapshot_of(world, at, options=gap))))
    assert (decision.refused_by.rule, decision.refused_by.limit, decision.refused_by.value) == ("width", "40", "45")


@pytest.mark.parametrize("broken", ["missing", "no bid on the short leg", "no ask on the long leg"])
def test_a_leg_without_its_price_is_refused(world: World, broken: str) -> None:
    at = minutes_in(53)
    legs = decide(inputs(world, at)).plan
    assert legs is not None
    quotes = dict(world.snapshot(at).quotes)
    if broken == "missing":
        del quotes[legs.long_leg.con_id]
    elif broken == "no bid on the short leg":
        quotes[legs.short_leg.con_id] = replace(quotes[legs.short_leg.con_id], bid=None)
    else:
        quotes[legs.long_leg.con_id] = replace(quotes[legs.long_leg.con_id], ask=None)
    decision = refusal(decide(inputs(world, at, snapshot=snapshot_of(world, at, quotes=quotes))))
    assert decision.refused_by.rule == "quotes"


def test_credits_are_rounded_to_the_side_that_promises_less(world: World) -> None:
    at = minutes_in(53)
    legs = decide(inputs(world, at)).plan
    assert legs is not None
    quotes = dict(world.snapshot(at).quotes)
    quotes[legs.short_leg.con_id] = Quote(legs.short_leg.con_id, at, 7.00, 7.15, 1, 1)
    quotes[legs.long_leg.con_id] = Quote(legs.long_leg.con_id, at, 1.00, 1.10, 1, 1)
    plan = decide(inputs(world, at, snapshot=snapshot_of(world, at, quotes=quotes))).plan
    assert plan is not None
    # mid 7.075 - 1.05 = 6.025, natural 7.00 - 1.10 = 5.90
    assert (plan.mid_credit, plan.natural_credit) == (Decimal("6.00"), Decimal("5.90"))
    assert plan.maximum_loss_usd == Decimal("3410.00")


def test_what_risk_refuses_is_refused(world: World) -> None:
    outcome = decide(inputs(world, minutes_in(53), book=Book(reconciled=True, entries_today=50)))
    assert refusal(outcome).refused_by.rule == "entries_per_day"
    assert outcome.plan is not None


# --- the caller -------------------------------------------------------------------------------------------------------


def test_a_cycle_with_memory_decides_as_one_with_all_bars(world: World) -> None:
    memory = None
    for half_minutes in range(90, 125):
        at = minutes_in(half_minutes / 2)
        whole = decide(inputs(world, at))
        assert decide(inputs(world, at, memory=memory)) == whole
        memory = whole.memory
        assert decide(inputs(world, at, memory=memory)) == whole  # a task that is delivered twice


def test_what_does_not_belong_together_is_refused(world: World) -> None:
    at = minutes_in(53)
    for strategy, text in (
        (SpxBreakout(BreakoutConfig(symbol="SPY")), "spx_breakout trades SPY, the snapshot is of SPX"),
        (SpxBreakout(BreakoutConfig(bar_minutes=1)), "reads 1-minute bars of SPX, got a 5-minute bar of SPX"),
    ):
        with pytest.raises(CallerMistake, match=text):
            decide(inputs(world, at, strategy=strategy))
    with pytest.raises(CallerMistake, match="out of order"):
        decide(inputs(world, at, bars=world.closed(at)[::-1]))
