"""`htbot parity`: one day through the stack and through the backtest; identical, or where they part first."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from htbot.cli.failures import ExitCode
from htbot.cli.flags import taking
from htbot.cli.output import Json, plain, print_facts, print_json
from htbot.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ParityFlags:
    """Arguments and options of `htbot parity`."""

    strategy: Annotated[str, typer.Argument(help="The strategy, such as spx_breakout.")]
    date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Session to play (required).")] = None
    data: Annotated[list[Path] | None, typer.Option("--data", help="Parquet or CSV file; repeatable.")] = None
    symbol: Annotated[str, typer.Option(help="SPX, SPY or QQQ.")] = "SPX"
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market, when there is no --data.")] = 7
    bar: Annotated[str | None, typer.Option(help="Bar length of the data; default: the commonest gap.")] = None
    as_json: Json = False


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(taking(ParityFlags, parity))


def parity(flags: ParityFlags) -> None:
    """Play one day live and as a backtest; exit code 1 when they differ, with the first difference in time."""
    from htbot.bootstrap.demo import quiet
    from htbot.bootstrap.parity import ParityOptions, run
    from htbot.cli.demo import show_progress
    from htbot.domain.instruments import UNDERLYINGS

    symbol = flags.symbol.upper()
    if symbol not in UNDERLYINGS:
        raise ConfigurationError(f"--symbol {flags.symbol}: one of {', '.join(UNDERLYINGS)}")
    if flags.date is None:
        raise ConfigurationError("--date is missing: give the session to compare, YYYY-MM-DD")
    for path in flags.data or ():
        if not path.is_file():
            raise ConfigurationError(f"--data {path}: no such file")
    options = ParityOptions(
        strategy=flags.strategy,
        day=flags.date.date(),
        data=tuple(flags.data or ()),
        symbol=symbol,
        seed=flags.seed,
        bar=flags.bar,
    )
    report = run(options, quiet if flags.as_json or not sys.stderr.isatty() else show_progress())
    if flags.as_json:
        print_json(report.summary)
    else:
        show(report.summary)
    if not report.identical:
        raise typer.Exit(ExitCode.ERROR)


def show(summary: dict[str, Any]) -> None:
    """Print the verdict, the money of both sides, and the first difference."""
    verdict = "identical" if summary["identical"] else "NOT identical"
    counts = ", ".join(f"{count} {name}" for name, count in summary["compared"].items())
    print(f"{summary['symbol']} on {summary['date']}: {verdict}; compared {counts}")
    for side, pnl in summary["pnl"].items():
        figures = (f"{name} {plain(pnl[name])}" for name in ("gross", "commissions", "net"))
        print(f"{side:<9} {', '.join(figures)} USD, {summary['wall_s'][side]:g} s")
    found = summary["divergence"]
    if found is None:
        return
    print(f"\nFirst difference at {found['at']}: {found['reason']}\n")
    for side in ("stack", "backtest"):
        print_facts([(side, ""), *(found[side] or {"nothing": "-"}).items()])
        print_facts([("last bar", found["bar"][side]), ("last look", found["looked"][side])])
        print()
    print_facts([("inputs", ""), *summary["inputs"].items()])
