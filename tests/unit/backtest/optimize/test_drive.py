from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from htbot.backtest.optimize.drive import Drive, FoldTrials, Inline, Plan, Standing
from htbot.backtest.optimize.goal import METRICS, Goal
from htbot.backtest.optimize.search import Grid, Sampler, Search
from htbot.backtest.optimize.space import Axis, Span, combinations
from htbot.backtest.optimize.study import open_study
from htbot.backtest.optimize.trial import Ground, Trial, TrialOutcome
from htbot.backtest.optimize.windows import walk_forward, whole
from htbot.domain.errors import HtbotError

DAYS = [date(2022, 1, 3) + timedelta(days=number) for number in range(24)]
GROUND = Ground("plain", ("bars.csv",), "SPY")
GRID = Grid(tuple(combinations([Axis("a", ("1", "2", "3", "4")), Axis("b", ("0", "5"))])))
TPE = Sampler(
    (Span("a", Decimal(1), Decimal(90), whole=True), Span("b", Decimal(0), Decimal(9))), 20, 1, lambda _: True
)


class Runs:
    """Gives every trial a value that its settings and window make, and remembers which it ran."""

    def __init__(self) -> None:
        self.ran: list[Trial] = []
        self.fails_at: int | None = None

    def __call__(self, trial: Trial) -> TrialOutcome:
        if self.fails_at is not None and len(self.ran) >= self.fails_at:
            raise KeyboardInterrupt
        self.ran.append(trial)
        values = dict(trial.settings)
        day = trial.window.last.day
        value = None if values["a"] == "4" else (float(values["a"]) * 7 + float(values["b"]) * day) % 10
        return TrialOutcome(5, {**dict.fromkeys(METRICS), "sharpe": value, "net_pnl": 1.0}, "events", 0.0)


class Watching:
    """Keeps what it is told, and asks for the end after so many trials."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.heard: list[Standing] = []
        self._stop_after = stop_after

    def told(self, standing: Standing) -> None:
        self.heard.append(standing)

    def stopped(self) -> bool:
        return self._stop_after is not None and len(self.heard) >= self._stop_after


def plan(search: Search = GRID, **changes: Any) -> Plan:
    return Plan(**{"ground": GROUND, "folds": walk_forward(DAYS, 3), "search": search, "goal": Goal(), **changes})


def driven(
    path: Path, wanted: Plan, runs: Callable[[Trial], TrialOutcome], executor: Executor | None = None, jobs: int = 1
) -> tuple[FoldTrials, ...]:
    with open_study(path, {}) as study:
        return Drive(wanted, runs, study, jobs)(executor or Inline())


def test_every_combination_runs_once_in_each_fold_and_only_the_best_on_what_follows(tmp_path: Path) -> None:
    runs = Runs()
    folds = driven(tmp_path / "s", plan(shown=2), runs)
    seen = [trial for trial in runs.ran if not trial.unseen]
    assert len(seen) == len({trial.id for trial in seen}) == 3 * 8
    assert {trial.window for trial in seen} == {fold.fold.train for fold in folds}
    for fold in folds:
        scores = [entrant.train.values["sharpe"] for entrant in fold.entrants]
        known = [score for score in scores if score is not None]
        assert known == sorted(known, reverse=True)
        assert scores[len(known) :] == [None, None]
        assert [entrant.unseen is not None for entrant in fold.entrants] == [True, True] + [False] * 6
        after = [trial for trial in runs.ran if trial.unseen and trial.window == fold.fold.unseen]
        assert {trial.settings for trial in after} == {entrant.settings for entrant in fold.entrants[:2]}


@pytest.mark.parametrize("search", [GRID, TPE], ids=["grid", "tpe"])
def test_the_number_of_workers_does_not_change_the_result(tmp_path: Path, search: Search) -> None:
    alone = driven(tmp_path / "one", plan(search), Runs())
    with ThreadPoolExecutor(4) as pool:
        together = driven(tmp_path / "four", plan(search), Runs(), pool, jobs=4)
    assert together == alone


@pytest.mark.parametrize("search", [GRID, TPE], ids=["grid", "tpe"])
@pytest.mark.parametrize("after", [0, 1, 7, 13, 22, 25])
def test_stopped_anywhere_it_goes_on_without_repeating_a_trial(tmp_path: Path, search: Search, after: int) -> None:
    undisturbed = Runs()
    expected = driven(tmp_path / "whole", plan(search), undisturbed)
    first, second = Runs(), Runs()
    first.fails_at = after
    with pytest.raises(KeyboardInterrupt):
        driven(tmp_path / "cut", plan(search), first)
    assert len(first.ran) == after
    assert driven(tmp_path / "cut", plan(search), second) == expected
    assert sorted(trial.id for trial in first.ran + second.ran) == sorted(trial.id for trial in undisturbed.ran)


def test_a_wider_grid_goes_on_in_the_same_study_and_its_trials_add_up(tmp_path: Path) -> None:
    driven(tmp_path / "s", plan(), Runs())
    wider = Runs()
    grid = Grid(tuple(combinations([Axis("a", ("1", "2", "3", "4", "5")), Axis("b", ("0", "5"))])))
    driven(tmp_path / "s", plan(grid), wider)
    assert {dict(trial.settings)["a"] for trial in wider.ran if not trial.unseen} == {"5"}
    with open_study(tmp_path / "s", {}) as study:
        assert study.trials == 3 * 10


def test_the_first_trial_goes_alone_then_twice_as_many_as_there_are_workers(tmp_path: Path) -> None:
    """The first one compiles: the others find it in the cache."""
    waiting: list[Future[TrialOutcome]] = []
    widths: list[int] = []

    class Held(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(fn(*args, **kwargs))
            waiting.append(future)
            return future

    class Counting(Runs):
        def __call__(self, trial: Trial) -> TrialOutcome:
            widths.append(len(waiting))
            return super().__call__(trial)

    class Looking(Watching):
        def told(self, standing: Standing) -> None:
            super().told(standing)
            if waiting:
                widths.append(-len(waiting))
                waiting.clear()

    with open_study(tmp_path / "s", {}) as study:
        Drive(plan(folds=whole(DAYS)), Counting(), study, 3, Looking())(Held())
    assert widths == [0, -1, 0, 1, 2, 3, 4, 5, -6, 0, -1]


def test_who_looks_on_is_told_how_far_it_is_and_the_best(tmp_path: Path) -> None:
    watcher = Watching()
    with open_study(tmp_path / "s", {}) as study:
        Drive(plan(), Runs(), study, 1, watcher)(Inline())
    told = watcher.heard
    assert [one.done for one in told] == list(range(1, 25))
    assert {one.total for one in told} == {24}
    bests = [one.best for one in told if one.best is not None]
    assert bests == sorted(bests)


def test_a_worker_that_is_gone_is_told_in_a_line(tmp_path: Path) -> None:
    class Gone(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor("a process died"))
            return future

    with pytest.raises(HtbotError, match=r"is gone \(out of memory\?\); the same command goes on from"):
        driven(tmp_path / "s", plan(), Runs(), Gone())


def test_a_trial_that_cannot_be_run_ends_the_search_with_its_words(tmp_path: Path) -> None:
    def fails(trial: Trial) -> TrialOutcome:
        raise HtbotError(f"no {trial.settings[0][0]}")

    with pytest.raises(HtbotError, match="no a"):
        driven(tmp_path / "s", plan(), fails)


def test_when_stopped_what_is_being_run_is_waited_for_and_kept(tmp_path: Path) -> None:
    runs, watcher = Runs(), Watching(stop_after=3)
    with ThreadPoolExecutor(2) as pool, open_study(tmp_path / "s", {}) as study:
        with pytest.raises(KeyboardInterrupt):
            Drive(plan(), runs, study, 2, watcher)(pool)
        kept = len(study)
    assert 3 <= len(runs.ran) == kept == watcher.heard[-1].done < 24
    lines = (tmp_path / "s").read_text().splitlines()[1:]
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(trial.id for trial in runs.ran)
