"""`htbot demo`: one trading day through the whole stack, in a folder of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from htbot.cli.flags import taking
from htbot.cli.output import Json, plain, print_json, print_table
from htbot.domain.errors import ConfigurationError
from htbot.domain.signals import TREND_WORDS

if TYPE_CHECKING:
    from htbot.bootstrap.demo import DemoOptions, Progress

_TABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("signals", ("ts", "symbol", "direction", "level", "price", "accepted", "reason")),
    ("orders", ("ref", "purpose", "action", "quantity", "limit", "status", "filled", "avg_price")),
    ("fills", ("ts", "symbol", "expiry", "strike", "right", "side", "quantity", "price", "commission")),
    ("trades", ("id", "opened_at", "closed_at", "credit", "debit", "exit_reason", "net_pnl", "max_gain")),
    ("mails", ("at", "subject")),
)
_TIMES = frozenset({"ts", "opened_at", "closed_at", "at"})


@dataclass(frozen=True, slots=True)
class DemoFlags:
    """Options of `htbot demo`."""

    data: Annotated[list[Path] | None, typer.Option("--data", help="Parquet or CSV file; repeatable.")] = None
    date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Session to play.")] = None
    symbol: Annotated[str, typer.Option(help="SPX, SPY or QQQ.")] = "SPX"
    speed: Annotated[str, typer.Option(help="Market seconds per second, or max: stepped.")] = "max"
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market, when there is no --data.")] = 7
    bar: Annotated[str | None, typer.Option(help="Bar length of the data; default: the commonest gap.")] = None
    folder: Annotated[Path | None, typer.Option(help="Keep the instance here; default: it is removed.")] = None
    journal: Annotated[Path | None, typer.Option(help="Write the day's journal to this file.")] = None
    as_json: Json = False


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(taking(DemoFlags, demo))


def demo(flags: DemoFlags) -> None:
    """Play one trading day, print what came of it, leave nothing running."""
    from htbot.bootstrap.demo import quiet, run

    options = _options(flags)
    result = run(options, quiet if flags.as_json or not sys.stderr.isatty() else show_progress())
    if flags.journal is not None:
        flags.journal.write_text(result.journal, encoding="utf-8")
    if flags.as_json:
        print_json(result.summary)
    else:
        print_day(result.summary, flags.folder)


def _options(flags: DemoFlags) -> DemoOptions:
    from htbot.bootstrap.demo import DemoOptions
    from htbot.domain.instruments import UNDERLYINGS

    symbol = flags.symbol.upper()
    if symbol not in UNDERLYINGS:
        raise ConfigurationError(f"--symbol {flags.symbol}: one of {', '.join(UNDERLYINGS)}")
    for path in flags.data or ():
        if not path.is_file():
            raise ConfigurationError(f"--data {path}: no such file")
    if flags.journal is not None and not flags.journal.parent.is_dir():
        raise ConfigurationError(f"--journal {flags.journal}: no such folder")
    return DemoOptions(
        data=tuple(flags.data or ()),
        day=None if flags.date is None else flags.date.date(),
        symbol=symbol,
        speed=_speed(flags.speed),
        seed=flags.seed,
        bar=flags.bar,
        folder=flags.folder,
    )


def _speed(text: str) -> float | Literal["max"]:
    if text == "max":
        return "max"
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"--speed {text}: a number, or max") from None


def show_progress() -> Progress:
    """A line that is written over; for terminals."""

    def show(market_time: datetime, fraction: float) -> None:
        end = "\n" if fraction >= 1 else ""
        print(f"\r{plain(market_time)} New York, {fraction:4.0%}", end=end, file=sys.stderr, flush=True)

    return show


def print_day(summary: Mapping[str, Any], folder: Path | None) -> None:
    """What came of the day, for people; `folder` is where it was kept."""
    print(f"{summary['symbol']} on {summary['date']}, {summary['wall_s']:g} s; times are the market's, in New York")
    for name, columns in _TABLES:
        print()
        rows = ([_shown(column, row.get(column)) for column in columns] for row in summary[name])
        print_table(name.capitalize(), columns, rows)
    pnl = summary["pnl"]
    print(f"\nP&L: gross {plain(pnl['gross'])}, commissions {plain(pnl['commissions'])}, net {plain(pnl['net'])} USD")
    kept = f"are in {folder}" if folder else "are gone; --folder keeps them"
    print(f"Database, logs and mails of this day {kept}.")


def _shown(column: str, value: Any) -> object:
    """A value of the summary, which is JSON, as the other commands print it."""
    if value is None:
        return None
    if column in _TIMES:
        return datetime.fromisoformat(value)
    return TREND_WORDS[value] if column == "direction" else value
