"""`htbot optimize`: a strategy's settings searched over recorded bars, and what they were worth afterwards."""

from __future__ import annotations

import shlex
import signal
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from htbot.cli.backtest import BacktestFlags, Pairs, options_of
from htbot.cli.flags import taking
from htbot.cli.output import print_facts, print_json, print_table
from htbot.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from htbot.backtest.optimize.drive import Standing
    from htbot.backtest.optimize.walk import Optimized
    from htbot.bootstrap.optimize import OptimizeOptions


class Split(StrEnum):
    """What is kept back."""

    WALK_FORWARD = "walk-forward"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class OptimizeFlags(BacktestFlags):
    """Options of `htbot optimize`: those of a backtest, and the search."""

    grid: Annotated[Pairs, typer.Option(help="Values to try: name=5,10,20 or name=5:50:5; repeatable.")] = None
    search: Annotated[
        Pairs, typer.Option(help="Range to sample: name=low:high[:step or :log], or name=a,b; repeatable.")
    ] = None
    trials: Annotated[int | None, typer.Option(min=1, help="With --search: trials of each fold.")] = None
    seed: Annotated[int, typer.Option(help="With --search: of the sampler.")] = 1
    metric: Annotated[str, typer.Option(help="What is sought: sharpe, net_pnl, sortino, calmar ...")] = "sharpe"
    minimum_trades: Annotated[int, typer.Option(min=0, help="A trial with fewer ranks last.")] = 1
    split: Annotated[Split, typer.Option(help="none: settings are judged on the sessions they were chosen on.")] = (
        Split.WALK_FORWARD
    )
    folds: Annotated[int, typer.Option(min=1, max=1000, help="Unseen windows.")] = 5
    train: Annotated[
        int | None, typer.Option(min=1, help="Sessions to choose on before each window; default: all before it.")
    ] = None
    jobs: Annotated[int | None, typer.Option(min=1, max=256, help="Processes; default: one per core.")] = None
    top: Annotated[int, typer.Option(min=1, max=1000, help="Trials shown of each fold.")] = 5
    study: Annotated[Path | None, typer.Option(help="File of finished trials; default: in var/studies.")] = None


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(taking(OptimizeFlags, optimize))


def optimize(flags: OptimizeFlags) -> None:
    """Search the settings of a strategy and tell what they earned on sessions they were not chosen on."""
    from htbot.backtest.export import write_csv
    from htbot.bootstrap import optimize as search
    from htbot.bootstrap.catalogue import strategies

    if not flags.strategy:
        listed = ", ".join(sorted(name for name, entry in strategies().items() if entry.plain))
        raise ConfigurationError(f"name a strategy: {listed}")
    for path in (flags.csv, flags.report):
        if path is not None and not path.parent.is_dir():
            raise ConfigurationError(f"{path}: no such folder")
    with _Onlooker(quiet=flags.as_json) as onlooker:
        optimized = search.optimize(_options(flags), onlooker)
    if flags.csv is not None:
        write_csv(optimized.headline, flags.csv)
    if flags.report is not None:
        _write_report(optimized, flags.report)
    _print(optimized, as_json=flags.as_json)


def _options(flags: OptimizeFlags) -> OptimizeOptions:
    from htbot.bootstrap.optimize import OptimizeOptions

    walk_forward = flags.split is Split.WALK_FORWARD
    if not walk_forward and flags.train is not None:
        raise ConfigurationError("--train goes with walk-forward; with --split none every session is chosen on")
    return OptimizeOptions(
        backtest=options_of(flags),
        grid=tuple(flags.grid or ()),
        search=tuple(flags.search or ()),
        trials=flags.trials,
        seed=flags.seed,
        metric=flags.metric,
        minimum_trades=flags.minimum_trades,
        folds=flags.folds,
        train=flags.train,
        walk_forward=walk_forward,
        jobs=flags.jobs,
        shown=flags.top,
        study=flags.study,
    )


def _print(optimized: Optimized, *, as_json: bool) -> None:
    from htbot.backtest.optimize import told

    if as_json:
        print_json(told.as_json(optimized))
        return
    if optimized.walk_forward:
        print_table("Folds", told.FOLD_COLUMNS, told.fold_rows(optimized))
        print()
    print_table("Best trials", told.trial_columns(optimized), told.trial_rows(optimized))
    print()
    print_facts(told.facts(optimized))


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Onlooker:
    """A progress bar on a terminal's error stream, and how to go on when it is stopped.

    The first signal to end stops the search where nothing is torn; before the search, and the second time, it
    interrupts at once.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._study: Path | None = None
        self._done = 0
        self._stop = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._handlers = {number: signal.signal(number, self._hear) for number in _ENDING}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._bars is not None:
            self._bars.stop()
        if kind is KeyboardInterrupt and self._study is not None:
            again = shlex.join(["htbot", *sys.argv[1:]])
            print(
                f"htbot: {self._done} finished trials are in {self._study}; the same command goes on: {again}",
                file=sys.stderr,
            )

    def _hear(self, _number: int, _frame: object) -> None:
        if self._stop or self._study is None:
            raise KeyboardInterrupt
        self._stop = True

    def stopped(self) -> bool:
        """Whether somebody pressed Ctrl-C."""
        return self._stop

    def begin(self, study: Path, total: int) -> None:
        """Name the file, draw the bar."""
        self._study = study
        if self._quiet:
            return
        print(f"study: {study}", file=sys.stderr)
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("best so far {task.fields[best]}"),
            TimeRemainingColumn(),
        )
        self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bars.add_task("trials", total=total, best="-")
        self._bars.start()

    def told(self, standing: Standing) -> None:
        """Move the bar."""
        self._done = standing.done
        if self._bars is not None:
            best = "-" if standing.best is None else f"{standing.best:.4g} (in sample)"
            self._bars.update(self._bars.task_ids[0], completed=standing.done, best=best)


def _write_report(optimized: Optimized, path: Path) -> None:
    from htbot.backtest.optimize.page import write_page

    write_page(optimized, path)
