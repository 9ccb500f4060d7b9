"""Composition root of `htbot optimize`: what is searched, the processes that run the trials, the study file."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

import numpy as np

from htbot.backtest.bars import run_backtest
from htbot.backtest.optimize.drive import Drive, FoldTrials, Inline, Nobody, Plan, Watcher
from htbot.backtest.optimize.goal import Goal, outcome_of
from htbot.backtest.optimize.identity import data_hash, source_hash
from htbot.backtest.optimize.search import Grid, Sampler, Search
from htbot.backtest.optimize.space import combinations, read_axis, read_span, unique
from htbot.backtest.optimize.study import open_study
from htbot.backtest.optimize.trial import Ground, Settings, Trial, TrialOutcome
from htbot.backtest.optimize.walk import NO_TRIAL, Optimized, Piece, chosen, in_sample, join
from htbot.backtest.optimize.windows import Fold, Window, walk_forward, whole
from htbot.backtest.request import BacktestRequest
from htbot.backtest.result import BacktestResult, EquityCurve
from htbot.backtest.tape import Tape
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.research import read_tape, require_sessions, told_if_it_fails
from htbot.bootstrap.research_options import BacktestOptions
from htbot.domain.errors import ConfigurationError, HtbotError
from htbot.settings import load_settings
from htbot.strategies.registry import Entry, create_bar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OptimizeOptions:
    """The options of `htbot optimize`; `grid` and `search` as given, and those of the backtest that a trial is."""

    backtest: BacktestOptions
    grid: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    trials: int | None = None
    seed: int = 1
    metric: str = "sharpe"
    minimum_trades: int = 1
    folds: int = 5
    train: int | None = None
    walk_forward: bool = True
    jobs: int | None = None
    shown: int = 5
    study: Path | None = None


class Onlooker(Watcher, Protocol):
    """Who looks on from the start."""

    def begin(self, study: Path, total: int) -> None:
        """The study file is open; so many trials will have been run at the end."""
        ...


class _Nobody(Nobody):
    def begin(self, study: Path, total: int) -> None:
        """Unheard."""


# --- a trial, in any process --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """What a process reads once."""

    cache: Path
    catalogue: dict[str, Entry]


@cache
def _place() -> _Place:
    settings = load_settings()
    return _Place(settings.paths.var / "cache", strategies(settings))


@lru_cache(maxsize=1)
def _tape(data: tuple[str, ...], symbol: str, bar: str | None) -> Tape:
    options = BacktestOptions(strategy="", data=tuple(map(Path, data)), symbol=symbol, bar=bar)
    return read_tape(options, _place().cache)


def run_trial(trial: Trial) -> TrialOutcome:
    """Run a trial and keep its metrics.

    Raises:
        HtbotError: the settings, the data or the strategy cannot be used; the text names the trial's settings.
    """
    return outcome_of(run_window(trial))


def run_window(trial: Trial) -> BacktestResult:
    """Run a trial and keep everything.

    Raises:
        HtbotError: as `run_trial`.
    """
    ground, place = trial.ground, _place()
    values = {**dict(ground.fixed), **dict(trial.settings)}
    request = BacktestRequest(
        folder=place.cache / "compiled",
        data=ground.data,
        start=trial.window.first,
        end=trial.window.last,
        fill=ground.fill,
        commission=ground.commission,
        cash=ground.cash,
        limits=dict(ground.limits),
        engine=ground.engine,
    )
    tape = _tape(ground.data, ground.symbol, ground.bar)
    with told_if_it_fails(ground.strategy, dict(trial.settings), place.catalogue.get(ground.strategy)):
        strategy = create_bar(ground.strategy, values, place.catalogue)
        return run_backtest(request, strategy, tape)


# --- the search ---------------------------------------------------------------------------------------------------


def optimize(options: OptimizeOptions, onlooker: Onlooker | None = None) -> Optimized:
    """Search the settings of a strategy; finished trials of the same study are not run again.

    Raises:
        NotFound: no strategy has this name.
        ConfigurationError: data, settings, ranges or a study file that cannot be used; one line each.
        HtbotError: a trial failed, or no trial has a known metric.
        KeyboardInterrupt: it was stopped; what is finished is in the study file.
    """
    began = time.perf_counter()
    watcher = onlooker or _Nobody()
    ground = _ground(options.backtest)
    catalogue = _place().catalogue
    create_bar(ground.strategy, dict(ground.fixed), catalogue)  # a mistake in what is not searched comes first
    entry = catalogue[ground.strategy]
    search, left_out = _search(options, entry, ground)
    goal = Goal(options.metric, options.minimum_trades)
    tape = _tape(ground.data, ground.symbol, ground.bar)
    plan = Plan(ground, _folds(options, tape), search, goal, options.shown)
    header = _header(plan, entry)
    jobs = max(1, min(options.jobs or len(os.sched_getaffinity(0)), plan.total))
    with open_study(options.study or _default_study(ground, header), header) as study:
        watcher.begin(study.path, plan.total)
        drive = Drive(plan, run_trial, study, jobs, watcher)
        with _executor(jobs) as executor:
            folds = drive(executor)
            headline = _headline(plan, folds, tape, executor, study.trials)
        return Optimized(
            plan=plan,
            folds=folds,
            headline=headline,
            trials=study.trials,
            ran=drive.ran,
            study=study.path,
            wall_s=time.perf_counter() - began,
            left_out=left_out,
        )


def _ground(options: BacktestOptions) -> Ground:
    return Ground(
        strategy=options.strategy,
        data=tuple(str(path.absolute()) for path in options.data),
        symbol=options.symbol,
        bar=options.bar,
        fill=options.fill,
        commission=options.commission,
        cash=options.cash,
        engine=options.engine,
        fixed=tuple(options.settings.items()),
        limits=tuple(options.limits.items()),
    )


def _search(options: OptimizeOptions, entry: Entry, ground: Ground) -> tuple[Search, int]:
    """The search, and how many combinations of a grid the strategy does not take."""
    fields = {str(field["name"]): field for field in entry.config.schema()}
    fixed = dict(ground.fixed)

    def mistake(settings: Settings) -> ConfigurationError | None:
        try:
            entry.config.from_mapping({**fixed, **dict(settings)})
        except ConfigurationError as error:
            return error
        return None

    if bool(options.grid) == bool(options.search):
        raise ConfigurationError("say what to search: --grid name=5,10,20, or --search name=low:high with --trials N")
    if options.search:
        if options.trials is None:
            raise ConfigurationError("--search needs --trials N: how many settings are tried in each fold")
        spans = tuple(read_span(text, fields) for text in options.search)
        unique([span.name for span in spans], list(fixed))
        return Sampler(spans, options.trials, options.seed, lambda settings: mistake(settings) is None), 0
    if options.trials is not None:
        raise ConfigurationError("--trials goes with --search; a grid has as many trials as combinations")
    axes = [read_axis(text, fields) for text in options.grid]
    unique([axis.name for axis in axes], list(fixed))
    every = combinations(axes)
    mistakes = {settings: found for settings in every if (found := mistake(settings)) is not None}
    if len(mistakes) == len(every):
        raise next(iter(mistakes.values()))
    return Grid(tuple(settings for settings in every if settings not in mistakes)), len(mistakes)


def _folds(options: OptimizeOptions, tape: Tape) -> tuple[Fold, ...]:
    require_sessions(tape, options.backtest)
    part = tape.between(options.backtest.start, options.backtest.end)
    days = [date.fromordinal(day) for day in np.unique(part.bars["session"]).tolist()]
    return walk_forward(days, options.folds, options.train) if options.walk_forward else whole(days)


def _header(plan: Plan, entry: Entry) -> dict[str, object]:
    ground = plan.ground
    return {
        "strategy": ground.strategy,
        "strategy_source": source_hash(entry.strategy),
        "data_checksum": data_hash(map(Path, ground.data)),
        "symbol": ground.symbol,
        "bar": ground.bar,
        "windows": [f"{_told(fold.train)}, then {_told(fold.unseen)}" for fold in plan.folds],
        "metric": plan.goal.metric,
        "minimum_trades": plan.goal.minimum_trades,
        "fill": ground.fill,
        "commission": ground.commission,
        "cash": str(ground.cash),
        "settings": dict(sorted(ground.fixed)),
        "limits": dict(sorted(ground.limits)),
    }


def _told(window: Window | None) -> str:
    return "nothing" if window is None else f"{window.first} to {window.last}"


def _default_study(ground: Ground, header: dict[str, object]) -> Path:
    """The same question has the same name."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()[:8]
    return load_settings().paths.var / "studies" / f"{ground.strategy}-{ground.symbol}-{digest}.jsonl"


def _headline(plan: Plan, folds: tuple[FoldTrials, ...], tape: Tape, executor: Executor, trials: int) -> BacktestResult:
    """The chosen settings once more, with trades and curve: these runs choose nothing and are no trials."""
    wanted = {
        fold.fold.number: executor.submit(
            run_window,
            Trial(plan.ground, fold.fold.unseen or fold.fold.train, best.settings, fold.fold.unseen is not None),
        )
        for fold in folds
        if (best := chosen(plan, fold)) is not None
    }
    results = {number: future.result() for number, future in wanted.items()}
    if not results:
        raise HtbotError(f"nothing to choose: {NO_TRIAL}; lower --minimum-trades or give more data")
    if folds[0].fold.unseen is None:
        return in_sample(results[folds[0].fold.number], trials)
    pieces = [
        Piece(result.curve, result)
        if (result := results.get(fold.fold.number))
        else Piece(_flat(plan, tape, fold.fold))
        for fold in folds
    ]
    joined = join(plan, folds, pieces, trials)
    if joined is None:
        raise HtbotError("nothing to join")
    return joined


def _flat(plan: Plan, tape: Tape, fold: Fold) -> EquityCurve:
    """Cash that lies still over a fold's unseen window."""
    window = fold.unseen or fold.train
    bars = tape.between(window.first, window.last).bars
    ends = bars[bars["ends_session"]]
    return EquityCurve(
        days=tuple(date.fromordinal(day) for day in ends["session"].tolist()),
        equity=(plan.ground.cash,) * len(ends),
        prices=tuple(ends["close"].tolist()),
    )


# --- processes ----------------------------------------------------------------------------------------------------


@contextmanager
def _executor(jobs: int) -> Iterator[Executor]:
    """This process for one job, else so many new ones: nothing of this one is copied into them."""
    if jobs == 1:
        yield Inline()
        return
    context = multiprocessing.get_context("spawn")
    with _Pool(jobs, mp_context=context, initializer=_begin_process) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Pool(ProcessPoolExecutor):
    """Ctrl-C reaches every process of the terminal: only the parent acts on it, the others are started deaf to it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submitting is what starts processes; they have the mask of signals of this thread."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_process() -> None:
    """When the parent is killed alone, this process ends too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
