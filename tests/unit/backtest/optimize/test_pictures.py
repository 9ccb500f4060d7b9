from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.results import a_result

from htbot.backtest.optimize.drive import Entrant, FoldTrials, Plan
from htbot.backtest.optimize.goal import METRICS, Goal
from htbot.backtest.optimize.pictures import MOST, heat_map, scatter
from htbot.backtest.optimize.search import Grid
from htbot.backtest.optimize.trial import Ground, Settings, TrialOutcome
from htbot.backtest.optimize.walk import Optimized
from htbot.backtest.optimize.windows import walk_forward
from htbot.backtest.result import BacktestResult

RESULT: BacktestResult = a_result()
FOLDS = walk_forward(RESULT.curve.days, 2)
PLAN = Plan(Ground("plain", ("bars.csv",), "SPY"), FOLDS, Grid(()), Goal("sharpe"))


def outcome(sharpe: float | None) -> TrialOutcome:
    return TrialOutcome(9, {**dict.fromkeys(METRICS), "sharpe": sharpe}, "events", 0.0)


def optimized(*folds: dict[Settings, tuple[float | None, float | None]]) -> Optimized:
    told = tuple(
        FoldTrials(fold, tuple(Entrant(one, outcome(inside), outcome(after)) for one, (inside, after) in given.items()))
        for fold, given in zip(FOLDS, folds, strict=False)
    )
    return Optimized(PLAN, told, RESULT, 8, 8, Path("study.jsonl"), 1.0)


def pair(fast: object, slow: object) -> Settings:
    return (("fast", str(fast)), ("slow", str(slow)))


def notes(picture: str) -> dict[str, str]:
    """What each cell says, and its shade."""
    return {words: shade for shade, words in re.findall(r'class="cell (s\d)".*?<title>(.*?)</title>', picture)}


def test_a_cell_is_the_mean_over_folds_darker_where_it_is_better() -> None:
    first = {pair(5, 20): (1.0, 0.0), pair(10, 20): (3.0, 0.0), pair(5, 40): (None, None)}
    second = {pair(5, 20): (2.0, 0.0), pair(10, 20): (6.0, 0.0)}
    told = notes(heat_map(optimized(first, second)))
    assert told == {"fast 5, slow 20: 1.50": "s0", "fast 10, slow 20: 4.50": "s9"}


def test_values_stand_in_order_of_their_size_none_first() -> None:
    given = {pair(value, 1): (1.0, 1.0) for value in ("100", "", "9", "20.5")}
    drawn = heat_map(optimized(given))
    labels = re.findall(r'text-anchor="middle">([^<]*)</text>', drawn)
    assert [one for one in labels if one in {"100", "none", "9", "20.5"}] == ["none", "9", "20.5", "100"]


def test_many_values_share_cells() -> None:
    given = {pair(value, value % 3): (float(value), 0.0) for value in range(100)}
    drawn = heat_map(optimized(given))
    assert drawn.count('class="cell') <= 3 * MOST
    assert "fast 0 to 8, slow 0: " in drawn


def test_one_setting_alone_has_a_row() -> None:
    drawn = heat_map(optimized({(("fast", "5"),): (1.0, 0.0), (("fast", "6"),): (2.0, 0.0)}))
    assert list(notes(drawn)) == ["fast 5: 1.00", "fast 6: 2.00"]


def test_nothing_known_draws_nothing() -> None:
    assert heat_map(optimized({pair(1, 2): (None, None)})) == ""
    assert scatter(optimized({pair(1, 2): (None, None)})) == ""


def test_points_are_told_apart_by_what_was_left_and_the_chosen_have_rings() -> None:
    first = {pair(5, 20): (2.0, 2.5), pair(10, 20): (1.0, -1.0), pair(20, 20): (0.5, None)}
    second = {pair(5, 20): (1.5, 0.25)}
    drawn = scatter(optimized(first, second))
    moves = {
        look: path.count("M") for look, path in re.findall(r'<path class="(dot win|dot loss|ring)" d="(.*?)"', drawn)
    }
    assert moves == {"dot win": 1, "dot loss": 2, "ring": 2}


@pytest.mark.parametrize("metric", ["sharpe", "max_drawdown"])
def test_a_smaller_drawdown_is_as_good(metric: str) -> None:
    plan = replace(PLAN, goal=Goal(metric))
    shares = TrialOutcome(9, {**dict.fromkeys(METRICS), metric: 0.3}, "events", 0.0)
    after = replace(shares, values={**shares.values, metric: 0.1})
    told = (FoldTrials(FOLDS[0], (Entrant(pair(1, 2), shares, after),)),)
    drawn = scatter(Optimized(plan, told, RESULT, 1, 1, Path("study.jsonl"), 1.0))
    assert ('class="dot win"' in drawn) is (metric == "max_drawdown")
    assert ('class="dot loss"' in drawn) is (metric == "sharpe")
