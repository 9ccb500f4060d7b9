"""`htbot backtest`: a strategy over recorded bars."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htbot.cli.flags import taking
from htbot.cli.output import Json, print_facts, print_json
from htbot.cli.pairs import pairs
from htbot.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from htbot.bootstrap.research import Progress
    from htbot.bootstrap.research_options import BacktestOptions


class Fill(StrEnum):
    """Where orders fill."""

    BOOK = "book"
    CLOSE = "close"
    NEXT_OPEN = "next_open"


class Fees(StrEnum):
    """Whose commissions."""

    FIXED = "fixed"
    NONE = "none"


class Runs(StrEnum):
    """What runs the strategy."""

    AUTO = "auto"
    COMPILED = "compiled"
    EVENTS = "events"


Pairs = list[str] | None

MOST_CASH = Decimal(10**12)
"""Money is counted in millionths of a dollar, in 64 bits."""


@dataclass(frozen=True, slots=True)
class BacktestFlags:
    """Options of `htbot backtest`."""

    strategy: Annotated[str, typer.Argument(help="Its name, or several: A,B; alone it lists them.")] = ""
    data: Annotated[list[Path] | None, typer.Option("--data", help="Parquet or CSV file; repeatable.")] = None
    symbol: Annotated[str, typer.Option(help="Which of the file's symbols; several: A,B.")] = "SPY"
    bar: Annotated[str | None, typer.Option(help="Bar length of the data; default: the commonest gap.")] = None
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First session with entries.")] = None
    end: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last session.")] = None
    fill: Annotated[Fill, typer.Option(help="book: as the paper gateway; close; next_open.")] = Fill.BOOK
    commission: Annotated[Fees, typer.Option(help="fixed: IB's fixed plan; none.")] = Fees.FIXED
    cash: Annotated[str, typer.Option(help="USD at the start.")] = "100000"
    settings: Annotated[
        Pairs, typer.Option("--set", help="A setting: name=value, or strategy.name=value; repeatable.")
    ] = None
    limits: Annotated[Pairs, typer.Option("--limit", help="A limit of the gate: name=value; repeatable.")] = None
    engine: Annotated[Runs, typer.Option(help="auto: compiled where the strategy allows it.")] = Runs.AUTO
    csv: Annotated[Path | None, typer.Option(help="Write the trades to this CSV file.")] = None
    report: Annotated[Path | None, typer.Option(help="Write a report to this HTML file.")] = None
    as_json: Json = False


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(taking(BacktestFlags, backtest))


def backtest(flags: BacktestFlags) -> None:
    """Run a strategy over recorded bars and tell what came of it; one on options also over the synthetic market."""
    from htbot.backtest.export import as_json, write_csv
    from htbot.backtest.metrics import measure
    from htbot.backtest.report import summary_lines, write_report
    from htbot.bootstrap import research

    if not flags.strategy:
        _list(flags)
        return
    for path in (flags.csv, flags.report):
        if path is not None and not path.parent.is_dir():
            raise ConfigurationError(f"{path}: no such folder")
    options = options_of(flags)
    with _progress(quiet=flags.as_json or not sys.stderr.isatty()) as progress:
        result = research.backtest(options, progress)
    metrics = measure(result)
    if flags.csv is not None:
        write_csv(result, flags.csv)
    if flags.report is not None:
        write_report(result, metrics, flags.report)
    if flags.as_json:
        print_json(as_json(result, metrics))
    else:
        print_facts(summary_lines(result, metrics))


def _list(flags: BacktestFlags) -> None:
    """The strategies there are.

    Raises:
        ConfigurationError: options were given, so that a name was forgotten.
    """
    from htbot.bootstrap.catalogue import strategies

    catalogue = strategies()
    if flags != BacktestFlags(as_json=flags.as_json):
        raise ConfigurationError(f"name a strategy: {', '.join(sorted(catalogue))}")
    rows = [
        (name, "plain" if entry.plain else "options", entry.about.does)
        for name, entry in sorted(catalogue.items(), key=lambda item: (not item[1].plain, item[0]))
    ]
    if flags.as_json:
        print_json([dict(zip(("name", "instruments", "description"), row, strict=True)) for row in rows])
    else:
        print_facts((name, f"{instruments:<8} {description}") for name, instruments, description in rows)
        print("\nhtbot backtest NAME runs one, --help has the options; htbot strategies types NAME has its settings")


def options_of(flags: BacktestFlags) -> BacktestOptions:
    """What a backtest is asked for, from the command line.

    Raises:
        ConfigurationError: text that is no amount or no pair, or an end before the start.
    """
    from htbot.bootstrap.research_options import BacktestOptions

    try:
        cash = Decimal(flags.cash)
    except InvalidOperation:
        raise ConfigurationError(f"--cash {flags.cash}: an amount of USD") from None
    if not cash.is_finite() or cash <= 0:
        raise ConfigurationError(f"--cash {flags.cash}: an amount of USD above 0")
    if cash > MOST_CASH:
        raise ConfigurationError(f"--cash {flags.cash}: at most {MOST_CASH:,} USD")
    if flags.start is not None and flags.end is not None and flags.end < flags.start:
        raise ConfigurationError(f"--end {flags.end.date()} is before --start {flags.start.date()}")
    return BacktestOptions(
        strategy=flags.strategy,
        data=tuple(flags.data or ()),
        symbol=flags.symbol.upper(),
        bar=flags.bar,
        start=None if flags.start is None else flags.start.date(),
        end=None if flags.end is None else flags.end.date(),
        fill=flags.fill.value,
        commission=flags.commission.value,
        cash=cash,
        engine=flags.engine.value,
        settings=pairs("--set", flags.settings or ()),
        limits=pairs("--limit", flags.limits or ()),
    )


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal's error stream; nothing elsewhere."""
    if quiet:
        yield lambda _fraction: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("backtest", total=1.0)
        yield lambda fraction: bars.update(task, completed=fraction)
