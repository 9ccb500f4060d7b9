from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from tests.support.results import TRADES, a_result

from htbot.backtest.optimize.drive import Entrant, FoldTrials, Plan
from htbot.backtest.optimize.goal import METRICS, Goal
from htbot.backtest.optimize.search import Grid
from htbot.backtest.optimize.trial import Ground, Settings, TrialOutcome
from htbot.backtest.optimize.walk import Piece, chosen, compare, in_sample, join
from htbot.backtest.optimize.windows import Fold, Window
from htbot.backtest.result import EquityCurve

CASH = Decimal(10_000)
JANUARY, FEBRUARY, MARCH = (date(2022, month, 3) for month in (1, 2, 3))
FOLDS = (
    Fold(1, Window(JANUARY, JANUARY, 10), Window(FEBRUARY, FEBRUARY, 4)),
    Fold(2, Window(JANUARY, FEBRUARY, 20), Window(MARCH, MARCH, 6)),
)
PLAN = Plan(Ground("plain", ("bars.csv",), "SPY", cash=CASH), FOLDS, Grid(()), Goal("sharpe", 2))


def outcome(sharpe: float | None, net: float | None, trades: int = 9) -> TrialOutcome:
    return TrialOutcome(trades, {**dict.fromkeys(METRICS), "sharpe": sharpe, "net_pnl": net}, "events", 0.0)


def fold(number: int, *entrants: Entrant) -> FoldTrials:
    return FoldTrials(FOLDS[number - 1], entrants)


def settings(value: str) -> Settings:
    return (("span", value),)


GOOD = fold(1, Entrant(settings("5"), outcome(2.0, 1000), outcome(1.0, 100)))
POOR = fold(2, Entrant(settings("9"), outcome(4.0, 500), outcome(-1.0, -50)))
IDLE = fold(2, Entrant(settings("9"), outcome(4.0, 500, trades=1)))


def curve(*equity: int, day: date = FEBRUARY) -> EquityCurve:
    return EquityCurve((day,) * len(equity), tuple(map(Decimal, equity)), (100.0,) * len(equity))


def test_in_sample_beside_out_of_sample_by_hand() -> None:
    found = compare(PLAN, (GOOD, POOR))
    assert (found.metric_inside, found.metric_outside) == (3.0, 0.0)
    assert found.net_inside == 1500 / 30
    assert found.net_outside == 50 / 10
    assert found.kept == pytest.approx(0.1)
    assert found.degradation == pytest.approx(0.9)


def test_a_fold_without_a_choice_is_left_out_of_the_comparison() -> None:
    assert chosen(PLAN, IDLE) is None
    assert compare(PLAN, (GOOD, IDLE)) == compare(PLAN, (GOOD,))


def test_a_fold_whose_net_is_unknown_is_left_out_and_not_taken_for_nothing() -> None:
    unknown = fold(2, Entrant(settings("9"), outcome(4.0, 500), outcome(-1.0, None)))
    found = compare(PLAN, (GOOD, unknown))
    assert (found.net_inside, found.net_outside) == (1000 / 10, 100 / 4)
    alone = compare(PLAN, (unknown,))
    assert (alone.net_inside, alone.net_outside, alone.kept) == (None, None, None)


def test_nothing_gained_in_sample_has_no_degradation() -> None:
    lost = fold(1, Entrant(settings("5"), outcome(-2.0, -1000), outcome(1.0, 100)))
    assert compare(PLAN, (lost,)).degradation is None


def test_windows_are_joined_each_going_on_from_the_one_before() -> None:
    first = a_result(trades=TRADES[:1], curve=curve(10_100, 10_300), cash=CASH, config_hash="aa")
    second = a_result(trades=TRADES[1:2], curve=curve(9_900, 9_950, day=MARCH), cash=CASH, config_hash="bb")
    joined = join(PLAN, (GOOD, POOR), [Piece(first.curve, first), Piece(second.curve, second)], trials=60)
    assert joined is not None
    assert joined.curve.equity == (10_100, 10_300, 10_200, 10_250)
    assert joined.curve.days == (FEBRUARY, FEBRUARY, MARCH, MARCH)
    assert joined.trades == TRADES[:2]
    assert joined.config["span"] == "chosen per window: 5, 9"
    assert joined.config_hash == "per-window"
    assert joined.cash == CASH
    assert "60 trials were looked at" in joined.assumptions["sample"]
    assert "all sessions before it" in joined.assumptions["sample"]
    assert "idle windows" not in joined.assumptions


def test_a_window_in_which_nothing_was_chosen_lies_flat() -> None:
    first = a_result(trades=TRADES[:1], curve=curve(10_100, 10_300), cash=CASH)
    joined = join(PLAN, (GOOD, IDLE), [Piece(first.curve, first), Piece(curve(10_000, 10_000, day=MARCH))], trials=60)
    assert joined is not None
    assert joined.curve.equity == (10_100, 10_300, 10_300, 10_300)
    assert joined.assumptions["idle windows"].startswith("2: nothing was traded")
    assert join(PLAN, (IDLE,), [Piece(curve(10_000))], trials=60) is None


def test_without_walk_forward_the_result_says_in_its_first_words_what_it_is() -> None:
    told = in_sample(a_result(), trials=60)
    name, words = next(iter(told.assumptions.items()))
    assert name == "sample"
    assert words.startswith("IN SAMPLE ONLY")
    assert "chosen on the very sessions" in words
    assert "best of 60 trials" in words
