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
from htbot.cli.pairs import pairs
from htbot.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ParityFlags:
    """Arguments and options of `htbot parity`."""

    strategy: Annotated[str | None, typer.Argument(help="A strategy, or several joined by commas.")] = None
    every: Annotated[bool, typer.Option("--all", help="Every strategy in one day.")] = False
    date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Session to play (required).")] = None
    days: Annotated[int, typer.Option(min=1, max=60, help="Sessions to play, one after the other.")] = 1
    data: Annotated[list[Path] | None, typer.Option("--data", help="Parquet or CSV file; repeatable.")] = None
    symbol: Annotated[
        str | None, typer.Option(help="A symbol for all, or one for each, joined by commas; default: from the data.")
    ] = None
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting: name=value, or strategy.name=value; repeatable.")
    ] = None
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
    from htbot.bootstrap.research_several import names_of
    from htbot.cli.demo import show_progress

    if (flags.strategy is None) != flags.every:
        raise ConfigurationError("name a strategy such as spx_breakout, or give --all, not both")
    if flags.date is None:
        raise ConfigurationError("--date is missing: give the session to compare, YYYY-MM-DD")
    for path in flags.data or ():
        if not path.is_file():
            raise ConfigurationError(f"--data {path}: no such file")
    options = ParityOptions(
        strategies=() if flags.strategy is None else names_of("strategies", flags.strategy),
        day=flags.date.date(),
        data=tuple(flags.data or ()),
        symbols=() if flags.symbol is None else names_of("--symbol", flags.symbol.upper(), repeated=True),
        seed=flags.seed,
        bar=flags.bar,
        settings=pairs("--set", flags.settings or ()),
        days=flags.days,
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
    days = f"{summary['date']} to {summary['days'][-1]}" if len(summary["days"]) > 1 else summary["date"]
    print(f"{', '.join(summary['strategies'])} on {days}: {verdict}; compared {counts}")
    for side, pnl in summary["pnl"].items():
        figures = (f"{name} {plain(pnl[name])}" for name in ("gross", "commissions", "net"))
        print(f"{side:<9} {', '.join(figures)} USD, {summary['wall_s'][side]:g} s")
    _show_untraded(summary["untraded"])
    found = summary["divergence"]
    if found is None:
        return
    print(f"rows that differ: {', '.join(f'{of} {count}' for of, count in sorted(summary['differing'].items()))}")
    print(f"\nFirst difference at {found['at']}: {found['reason']}\n")
    for side in ("stack", "backtest"):
        print_facts([(side, ""), *(found[side] or {"nothing": "-"}).items()])
        print_facts([("last bar", found["bar"][side]), ("last look", found["looked"][side])])
        print()
    print_facts([("inputs", ""), *summary["inputs"].items()])


def _show_untraded(nothing: dict[str, Any] | None) -> None:
    """Why the day has no trade: days that agree on nothing prove little, and people want to know why."""
    if nothing is None:
        return
    signals, accepted = nothing["signals"], nothing["accepted"]
    told = "no signal fired"
    if signals:
        told = f"{signals} signals, {signals - accepted} refused, {accepted} accepted but not filled"
    print(f"nothing was traded in the stack: {told}")
    for kind, name in (("refused", "signals"), ("looks", "looks")):
        for reason in nothing[kind]:
            print(f"  {reason['count']:>5} {name} of {reason['strategy']}: {reason['text']}")
