"""Trials through an executor: folds side by side, each finished trial written down before the next one is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol, TypeVar

from htbot.backtest.optimize.goal import Goal, ranked
from htbot.backtest.optimize.search import Search, Told
from htbot.backtest.optimize.study import Study
from htbot.backtest.optimize.trial import Ground, Settings, Trial, TrialOutcome
from htbot.backtest.optimize.windows import Fold
from htbot.domain.errors import HtbotError

P = ParamSpec("P")
T = TypeVar("T")
RunTrial = Callable[[Trial], TrialOutcome]
AHEAD = 2
"""Trials given out per process: while one is run, the next is there."""
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What is searched, where, and for what; `shown` of the best trials of each fold are run on its unseen window."""

    ground: Ground
    folds: tuple[Fold, ...]
    search: Search
    goal: Goal
    shown: int = 5

    @property
    def total(self) -> int:
        """Trials of all folds, when none repeats another."""
        return len(self.folds) * self.search.total


@dataclass(frozen=True, slots=True)
class Entrant:
    """Settings with what they gave where they were chosen, and on the unseen sessions, if they were run there."""

    settings: Settings
    train: TrialOutcome
    unseen: TrialOutcome | None = None


@dataclass(frozen=True, slots=True)
class FoldTrials:
    """The trials of a fold, best first."""

    fold: Fold
    entrants: tuple[Entrant, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far it is: trials with a result, of how many, and the best so far."""

    done: int
    total: int
    best: float | None


class Watcher(Protocol):
    """Who looks on, and may ask for an early end."""

    def told(self, standing: Standing) -> None:
        """A trial has a result."""
        ...

    def stopped(self) -> bool:
        """Whether no new trial is to be begun; asked several times a second."""
        ...


class Nobody:
    """Nobody looks on."""

    def told(self, standing: Standing) -> None:
        """Unheard."""

    def stopped(self) -> bool:
        """Never."""
        return False


_Course = Generator[list[Trial], list[TrialOutcome], FoldTrials]


@dataclass(slots=True)
class _Running:
    """A fold under way: its generator, and the trials that it waits for."""

    course: _Course
    wanted: list[Trial] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    result: FoldTrials | None = None


class Drive:
    """One search over all folds. `jobs` is how many trials the executor runs at once."""

    def __init__(self, plan: Plan, run: RunTrial, study: Study, jobs: int = 1, watcher: Watcher | None = None) -> None:
        self._plan, self._run, self._study, self._watcher = plan, run, study, watcher or Nobody()
        self._jobs = jobs
        self._folds = [_Running(_course(plan, fold)) for fold in plan.folds]
        self._ready: deque[Trial] = deque()
        self._running: dict[Future[TrialOutcome], Trial] = {}
        self._done = 0
        self._best: float | None = None
        self._warm = False
        self.ran = 0

    def __call__(self, executor: Executor) -> tuple[FoldTrials, ...]:
        """Run to the end.

        Raises:
            HtbotError: a process of the executor is gone, or a trial cannot be run.
            KeyboardInterrupt: the watcher wanted it to stop; what was being run is written down too.
        """
        try:
            for fold in self._folds:
                self._go_on(fold, None)
            while self._ready or self._running:
                if self._watcher.stopped():
                    self._finish_running()
                    raise KeyboardInterrupt
                self._give_out(executor)
                finished, _ = wait(self._running, _LOOK_S, FIRST_COMPLETED)
                for future in finished:
                    self._take(future)
        except BrokenExecutor:
            raise HtbotError(
                f"a process that ran trials is gone (out of memory?); the same command goes on from {self._study.path}"
            ) from None
        finally:
            for future in self._running:
                future.cancel()
        return tuple(fold.result for fold in self._folds if fold.result is not None)

    def _give_out(self, executor: Executor) -> None:
        """The first trial goes alone: it compiles what the others then find in the cache. One job has nothing ahead."""
        room = self._jobs * AHEAD if self._warm and self._jobs > 1 else 1
        while self._ready and len(self._running) < room:
            trial = self._ready.popleft()
            self._running[executor.submit(self._run, trial)] = trial

    def _take(self, future: Future[TrialOutcome]) -> None:
        trial = self._running.pop(future)
        outcome = future.result()
        self._study.add(trial, outcome)
        self._warm = True
        self.ran += not trial.unseen
        self._count(trial, outcome)
        for fold in self._folds:
            if trial.id in fold.missing:
                fold.missing.remove(trial.id)
                if not fold.missing:
                    self._go_on(fold, self._outcomes(fold.wanted))

    def _finish_running(self) -> None:
        for future in [future for future in self._running if future.cancel()]:
            del self._running[future]
        for future in wait(self._running).done:
            trial = self._running.pop(future)
            if future.exception() is None:
                self._study.add(trial, future.result())
        self._watcher.told(Standing(self._study.trials, self._plan.total, self._plan.goal.value(self._best)))

    def _go_on(self, fold: _Running, outcomes: list[TrialOutcome] | None) -> None:
        """Ask the fold for its next trials until some of them have no result yet."""
        while True:
            try:
                fold.wanted = next(fold.course) if outcomes is None else fold.course.send(outcomes)
            except StopIteration as end:
                fold.result = end.value
                return
            for trial in fold.wanted:
                known = self._study.get(trial)
                if known is not None:
                    self._count(trial, known)
                elif trial.id not in fold.missing:
                    fold.missing.add(trial.id)
                    self._ready.append(trial)
            if fold.missing:
                return
            outcomes = self._outcomes(fold.wanted)

    def _outcomes(self, trials: Sequence[Trial]) -> list[TrialOutcome]:
        found = [self._study.get(trial) for trial in trials]
        return [outcome for outcome in found if outcome is not None]

    def _count(self, trial: Trial, outcome: TrialOutcome) -> None:
        if trial.unseen:
            return
        self._done += 1
        score = self._plan.goal.score(outcome)
        if score is not None and (self._best is None or score > self._best):
            self._best = score
        self._watcher.told(Standing(self._done, self._plan.total, self._plan.goal.value(self._best)))


def _course(plan: Plan, fold: Fold) -> _Course:
    """A fold as a conversation: it names trials, is told what they gave, and ends with its ranking."""
    tried: list[tuple[Settings, TrialOutcome]] = []
    told: list[Told] = []
    while batch := plan.search.batch(fold.number, told):
        outcomes = yield [Trial(plan.ground, fold.train, settings) for settings in batch]
        tried += zip(batch, outcomes, strict=True)
        told += ((settings, plan.goal.score(outcome)) for settings, outcome in zip(batch, outcomes, strict=True))
    order = ranked(tried, lambda one: plan.goal.score(one[1]))
    if fold.unseen is None:
        return FoldTrials(fold, tuple(Entrant(settings, outcome) for settings, outcome in order))
    known = sum(plan.goal.score(outcome) is not None for _, outcome in order)
    shown = order[: min(plan.shown, known)]
    after = yield [Trial(plan.ground, fold.unseen, settings, unseen=True) for settings, _ in shown]
    entrants = [Entrant(*one, after[index] if index < len(after) else None) for index, one in enumerate(order)]
    return FoldTrials(fold, tuple(entrants))


class Inline(Executor):
    """Runs a trial where it is submitted: one process, nothing to start."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it now."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except HtbotError as error:
            future.set_exception(error)
        return future
