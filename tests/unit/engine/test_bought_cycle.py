"""Strategy 2 through the cycle of live trading and backtests: two sides, each once, each waiting for its price."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from tests.support.breakout_world import World, limits_of, session_on

from htbot.domain.bars import Bar
from htbot.domain.decisions import Approved
from htbot.domain.instruments import Right
from htbot.domain.signals import Direction, SinglePlan
from htbot.engine.cycle import CycleInputs, CycleOutcome, decide
from htbot.marketdata.snapshot import Snapshot
from htbot.risk.book import Book
from htbot.strategies.strangle_momentum import StrangleConfig, StrangleMomentum

SESSION = session_on(2022, 8, 26, opens=(13, 30))
AT = SESSION.opens + timedelta(minutes=2)
STRATEGY = StrangleMomentum(StrangleConfig(call_index=2, put_index=3, max_premium=Decimal(9), quantity=2), "sm")
WORLD = World(SESSION, [Bar("SPX", SESSION.opens, 5, 4100.0, 4101.0, 4099.0, 4100.0)])


def run(
    snapshot: Snapshot | None = None, book: Book | None = None, strategy: StrangleMomentum = STRATEGY
) -> CycleOutcome:
    seen, known = snapshot or WORLD.snapshot(AT), book or Book(reconciled=True)
    return decide(CycleInputs(strategy, seen, SESSION, (), known, replace(limits_of("SPX"), hours=strategy.hours), AT))


def test_a_side_that_can_be_had_becomes_an_order() -> None:
    outcome = run()
    plan, intent, trade = outcome.plan, outcome.intent, outcome.trade
    assert isinstance(outcome.decision, Approved)
    assert isinstance(plan, SinglePlan)
    assert plan.leg.right is Right.CALL
    spot = Decimal(str(WORLD.snapshot(AT).spot))
    assert spot + 10 < plan.leg.strike <= spot + 15, "the third strike out of the money"
    assert intent is not None
    assert (intent.ref, intent.quantity, intent.legs) == ("htbot-sm-DU1000001-20220826-E1", 2, (plan.leg,))
    assert 0 < intent.limit <= intent.worst_limit == plan.natural
    assert trade is not None
    assert (trade.width, trade.direction, trade.rules.exit_at) == (None, Direction.BULL, SESSION.at(15, 0))
    assert trade.rules.momentum is not None


def test_the_other_side_is_entered_beside_it() -> None:
    spent = frozenset({(1, 9.0)})
    held = Book(
        reconciled=True,
        open_trades=1,
        open_directions=frozenset({1}),
        spent_levels=spent,
        next_sequence=2,
        entries_today=1,
    )
    outcome = run(book=held)
    assert isinstance(outcome.decision, Approved)
    assert outcome.trade is not None
    assert outcome.trade.id == "sm-DU1000001-20220826-2"
    assert outcome.trade.legs[0].right is Right.PUT
    done = replace(held, spent_levels=spent | {(-1, 9.0)})
    assert run(book=done).signal is None


def test_a_price_that_is_missing_is_waited_for_and_spends_nothing() -> None:
    snapshot = WORLD.snapshot(AT)
    unbid = {one: replace(told, bid=None, bid_size=0.0) for one, told in snapshot.quotes.items()}
    for seen, told in (
        (replace(snapshot, quotes={}), "call: no quote for SPX 41"),
        (replace(snapshot, quotes=unbid), "call: nobody bids for SPX 41"),
        (replace(snapshot, options=()), "call: 0 calls expiring 2022-08-26 are quoted"),
        (replace(snapshot, spot=None), "call: SPX has no price"),
    ):
        outcome = run(seen)
        assert outcome.signal is outcome.decision is outcome.intent is None
        assert str(outcome.evaluation.why_not).startswith(told)


def test_a_premium_above_the_cap_is_waited_for() -> None:
    cheap = StrangleMomentum(StrangleConfig(call_index=2, put_index=3, max_premium=Decimal("0.05")))
    assert "above max_premium=0.05" in str(run(strategy=cheap).evaluation.why_not)
