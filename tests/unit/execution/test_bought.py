"""A bought option: its entry pays no more than its ask, its exit asks for no less than a tick, and it is sold once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support import bought, spreads
from tests.support.bought import CALL, marks, trade
from tests.support.spreads import AS_OF, SESSION, fill

from htbot.domain.decisions import Approved
from htbot.domain.errors import StopTrading
from htbot.domain.orders import Action, ExitReason, OrderIntent, PriceStyle
from htbot.domain.trades import TradeState
from htbot.execution.exits import ExitWatch, exit_decision
from htbot.execution.intents import EntryTerms, closable_quantity, entry_intent, exit_intent
from htbot.execution.ladder import limit_at, on_option_grid
from htbot.execution.trade_fold import TradeFacts, fold_trade
from htbot.portfolio.pnl import maximum_loss_usd, open_pnl
from htbot.risk.gate import decision_id
from htbot.risk.proposal import Proposal


def entry(mid: str = "1.90", natural: str = "2.00") -> OrderIntent:
    seen = spreads.signal()
    proposal = Proposal(seen, bought.plan(mid=mid, natural=natural), None, SESSION)  # type: ignore[arg-type]
    terms = EntryTerms(1, "c0ffee", bought.RULES, None, SESSION.at(15, 0))
    made, opening = entry_intent(Approved(decision_id(seen), AS_OF, ()), proposal, terms)
    assert (opening.width, opening.legs, opening.single) == (None, (CALL,), CALL)
    return made


def test_an_entry_buys_from_mid_up_to_the_ask_of_its_decision() -> None:
    made = entry()
    assert (made.action, made.limit, made.worst_limit) == (Action.BUY, Decimal("1.90"), Decimal("2.00"))
    walk = [limit_at(made, marks(1.80, 2.00), at, None) for at in (0.0, 20.0, 45.0)]
    assert walk == [Decimal("1.90"), Decimal("1.95"), Decimal("2.00")]
    assert limit_at(made, marks(2.80, 3.00), 45.0, Decimal("2.00")) == Decimal("2.00")
    assert limit_at(made, marks(None, 0.05), 0.0, None) == Decimal("0.05"), "a tick at least"


def test_an_entry_that_would_pay_nothing_is_no_order() -> None:
    with pytest.raises(StopTrading, match="is none for SPX 4260 C"):
        entry(mid="0.00")


@pytest.mark.parametrize(
    ("reason", "sides", "first", "later"),
    [
        (ExitReason.TIME, (1.80, 2.00), "1.90", "1.80"),
        (ExitReason.PROFIT_TARGET, (6.00, 6.40), "6.20", "6.00"),
        (ExitReason.STOP_LOSS, (0.40, 0.50), "0.35", "0.05"),
        (ExitReason.TIME, (None, 0.05), "0.05", "0.05"),
        (ExitReason.TIME, (12.00, None), "12.00", "12.00"),
        (ExitReason.PROFIT_TARGET, (12.00, None), "12.00", "12.00"),
        (ExitReason.STOP_LOSS, (12.00, None), "11.90", "7.90"),
        (ExitReason.TIME, (None, None), "0.05", "0.05"),
    ],
)
def test_an_exit_sells_from_mid_down_to_the_bid_and_never_below_a_tick(
    reason: ExitReason, sides: tuple[float | None, float | None], first: str, later: str
) -> None:
    seen = marks(*sides)
    made = exit_intent(trade(), reason, seen, AS_OF, 1)
    assert (made.action, made.limit, made.worst_limit) == (Action.SELL, Decimal(first), bought.TICK)
    assert limit_at(made, seen, 0.0, None) == Decimal(first)
    assert limit_at(made, seen, 120.0, Decimal(first)) == Decimal(later)


def test_without_any_price_it_is_sold_for_what_it_brings() -> None:
    made = exit_intent(trade(), ExitReason.TIME, None, AS_OF, 1)
    assert (made.limit, made.style) == (bought.TICK, PriceStyle.TIME)


def test_an_option_has_a_coarser_grid_from_three_dollars_on() -> None:
    assert [on_option_grid("SPX", Decimal(price)) for price in ("2.95", "3.05", "6.15")] == [
        Decimal("2.95"),
        Decimal("3.00"),
        Decimal("6.10"),
    ]
    assert on_option_grid("SPY", Decimal("6.15")) == Decimal("6.15")
    urgent = exit_intent(trade(), ExitReason.MANUAL, marks(6.00, 6.40), AS_OF, 1)
    assert urgent.limit == Decimal("5.90"), "5.95 lies between two ticks"


def test_its_money_is_that_of_what_was_bought() -> None:
    held = trade("1.00", quantity=2)
    assert maximum_loss_usd(held) == Decimal(200)
    assert open_pnl(held, marks(1.40, 1.60), "mid") == Decimal(100)
    assert open_pnl(held, marks(None, 0.05), "natural") == Decimal(-200), "nobody bids: it is worth nothing"
    assert held.shown(Decimal("-1.50")) == Decimal("1.50")


def test_a_trade_of_one_option_folds_as_any_other() -> None:
    opening = trade(None, quantity=2, state=TradeState.OPENING)
    enter = [fill("e1", CALL, Action.BUY, "1.00"), fill("e2", CALL, Action.BUY, "1.10")]
    part = fill("x1", CALL, Action.SELL, "3.00", ref="x")
    facts = TradeFacts(enter, [part], entry_over=True, exit_live=True, exit_reason=ExitReason.TIME)
    folded = fold_trade(opening, facts, AS_OF)
    assert (folded.state, folded.credit, folded.debit) == (TradeState.CLOSING, Decimal("-1.05"), Decimal("-3.00"))
    assert folded.gross_pnl_usd == Decimal("195.00")
    rest = fill("x2", CALL, Action.SELL, "2.00", ref="x")
    whole = fold_trade(opening, replace(facts, exit_fills=[part, rest]), AS_OF)
    assert (whole.state, whole.gross_pnl_usd) == (TradeState.CLOSED, Decimal("290.00"))
    with pytest.raises(StopTrading, match="exit fills close 3"):
        fold_trade(opening, replace(facts, exit_fills=[part, rest, fill("x3", CALL, Action.SELL, "2.00")]), AS_OF)


def test_what_is_sold_is_held_in_both_books() -> None:
    legs = (CALL,)
    assert closable_quantity(legs, {CALL.con_id: 2}, {CALL.con_id: 1}) == 1
    assert closable_quantity(legs, {CALL.con_id: 1}, {}) == 0
    assert closable_quantity(legs, {CALL.con_id: -1}, {CALL.con_id: -1}) == 0


# --- when it is sold --------------------------------------------------------------------------------------------------


def looked(bids: list[tuple[float, float | None]]) -> tuple[list[ExitReason | None], ExitWatch]:
    """The reasons of looks at (minutes, bid); asks are a dime above."""
    held, watch, told = trade("1.00"), ExitWatch(), []
    for minutes, bid in bids:
        at = SESSION.at(10, 30) + timedelta(minutes=minutes)
        ask = 0.05 if bid is None else round(bid + 0.1, 2)
        decision, watch = exit_decision(held, marks(bid, ask, at), watch, at)
        told.append(None if decision is None else decision.reason)
    return told, watch


def test_it_is_sold_at_the_first_look_after_a_bar_that_has_run_and_turned() -> None:
    told, _watch = looked([(0, 2.00), (5, 3.60), (14, 1.90), (15, 1.80)])
    assert told == [None, None, None, ExitReason.PROFIT_TARGET]
    told, _watch = looked([(0, 2.00), (5, 3.60), (14, 3.60), (15, 3.50)])
    assert told == [None] * 4, "it still runs"


def test_it_waits_for_a_bid_and_for_its_time_it_does_not() -> None:
    told, watch = looked([(0, 2.00), (5, 3.60), (14, 1.90), (15, None), (16, 0.50)])
    assert told[-2:] == [None, ExitReason.PROFIT_TARGET]
    close = SESSION.at(15, 0)
    for seen in (marks(None, 0.05, close), None):
        decision, _ = exit_decision(trade(), seen, watch, close)
        assert decision is not None
        assert decision.reason is ExitReason.TIME


def test_a_stop_and_a_target_count_where_they_are_set() -> None:
    held = trade(rules=replace(bought.RULES, stop_loss_usd=Decimal(50), profit_target_usd=Decimal(80)))
    for bid, reason in ((0.40, ExitReason.STOP_LOSS), (1.80, ExitReason.PROFIT_TARGET), (1.00, None)):
        decision, _ = exit_decision(held, marks(bid, round(bid + 0.1, 2)), ExitWatch(), AS_OF)
        assert (None if decision is None else decision.reason) is reason


def test_it_is_never_blind_for_want_of_an_ask() -> None:
    """Only what was sold has to be bought back (RULINGS 5)."""
    held, watch = trade(), ExitWatch()
    for seconds in range(0, 60, 5):
        at = AS_OF + timedelta(seconds=seconds)
        decision, watch = exit_decision(held, marks(1.0, None, at), watch, at)
        assert decision is None
    assert watch.blind_since is None
