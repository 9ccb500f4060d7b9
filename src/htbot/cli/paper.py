"""`htbot paper`: the paper gateway on its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from htbot.cli import paper_fault
from htbot.cli.flags import taking
from htbot.cli.output import plain

if TYPE_CHECKING:
    from htbot.bootstrap.paper import PaperOptions
    from htbot.paper.gateway import Gateway

_AT, _WORLD, _TIME, _MONEY, _FAULTS = "Where it listens", "The world", "Time", "Accounts", "Bad days"


def _option(group: str, text: str, metavar: str, setting: str = "", default: str = "") -> Any:
    """An option that stands in for a setting; its help names the setting, and what holds when neither is given."""
    instead = f"{setting}: {default}" if setting else f"default: {default}"
    return typer.Option(help=f"{text} ({instead}).", metavar=metavar, rich_help_panel=group, show_default=False)


_FRESH = typer.Option("--fresh", help="Begin a new world; the old books stay behind.", rich_help_panel=_WORLD)
_PORT = _option(_AT, "Port", "PORT", "PAPER_PORT", "4102")
_CONTROL = _option(_FAULTS, "Port for `htbot paper fault`; 0 is any free one", "PORT", "PAPER_CONTROL_PORT", "none")
_MARKET = _option(_WORLD, "synthetic or replay; --data means replay", "KIND", "PAPER_MARKET", "synthetic")
_SCENARIO = _option(
    _WORLD, "Days of the synthetic world: walk, trend, chop, gap, halt, spike", "NAME", "PAPER_SCENARIO", "walk"
)
_SEED = _option(_WORLD, "Number that the synthetic world is made from", "NUMBER", "PAPER_SEED", "7")
_DATA = _option(_WORLD, "Parquet or CSV file to replay; may be given several times", "FILE", "PAPER_DATA", "none")
_BAR = _option(_WORLD, "Bar length of the files: 1s, 5m, 1d", "LENGTH", "PAPER_BAR", "the commonest gap")
_SYMBOL = _option(_WORLD, "Symbol that the files must have, or `any`", "SYMBOL", default="HTBOT_SYMBOL")
_LISTING = _option(_WORLD, "Expiries of options: modelled or historical", "KIND", "PAPER_LISTING", "modelled")
_START = _option(
    _TIME, "Session, or time in New York, to begin at: ISO", "WHEN", "PAPER_START", "09:45 of the last full session"
)
_END = _option(_TIME, "Session or time at which the clock stops", "WHEN", "PAPER_END", "never")
_SPEED = _option(_TIME, "Market seconds per second, or max", "SPEED", "PAPER_SPEED", "10")
_ACCOUNTS = _option(
    _MONEY, "Accounts, separated by commas; DF... in front is an adviser's", "LIST", "PAPER_ACCOUNTS", "one of its own"
)
_CASH = _option(_MONEY, "Cash of each new account, USD", "AMOUNT", "PAPER_CASH", "100000")
_SCRIPT = _option(_FAULTS, "YAML script of faults to play", "FILE", "PAPER_FAULTS", "none")


@dataclass(frozen=True, slots=True)
class PaperFlags:
    """Options of `htbot paper`; None leaves it to the settings."""

    host: Annotated[str, _option(_AT, "Address to listen on", "ADDRESS", default="127.0.0.1")] = "127.0.0.1"
    port: Annotated[int | None, _PORT] = None
    market: Annotated[str | None, _MARKET] = None
    scenario: Annotated[str | None, _SCENARIO] = None
    seed: Annotated[int | None, _SEED] = None
    data: Annotated[list[Path] | None, _DATA] = None
    bar: Annotated[str | None, _BAR] = None
    symbol: Annotated[str | None, _SYMBOL] = None
    listing: Annotated[str | None, _LISTING] = None
    fresh: Annotated[bool, _FRESH] = False
    start: Annotated[str | None, _START] = None
    end: Annotated[str | None, _END] = None
    speed: Annotated[str | None, _SPEED] = None
    accounts: Annotated[str | None, _ACCOUNTS] = None
    cash: Annotated[str | None, _CASH] = None
    faults: Annotated[Path | None, _SCRIPT] = None
    control_port: Annotated[int | None, _CONTROL] = None

    def settings(self) -> dict[str, str]:
        """What was given, as settings."""
        given = {
            "PAPER_PORT": self.port,
            "PAPER_MARKET": self.market or ("replay" if self.data else None),
            "PAPER_DATA": ",".join(str(path.resolve()) for path in self.data) if self.data else None,
            "PAPER_BAR": self.bar,
            "PAPER_START": self.start,
            "PAPER_END": self.end,
            "PAPER_SPEED": self.speed,
            "PAPER_SEED": self.seed,
            "PAPER_ACCOUNTS": self.accounts,
            "PAPER_CASH": self.cash,
            "PAPER_LISTING": self.listing,
            "PAPER_SCENARIO": self.scenario,
            "PAPER_FAULTS": self.faults.resolve() if self.faults else None,
            "PAPER_CONTROL_PORT": self.control_port,
        }
        return {name: str(value) for name, value in given.items() if value is not None}


def add_to(app: typer.Typer) -> None:
    """Register the command, and those about a running gateway below it."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(taking(PaperFlags, paper))
    paper_fault.add_to(group)
    app.add_typer(group, name="paper")


def paper(flags: PaperFlags) -> None:
    """Serve the TWS protocol until Ctrl-C: a world of its own for any program written for Interactive Brokers.

    In brackets: the setting that an option stands in for, and its default. docs/reference/settings.md has the others.
    """
    from htbot.bootstrap.paper import run
    from htbot.bootstrap.paper_options import paper_options
    from htbot.telemetry.logs import configure_logging

    options = paper_options(flags.settings(), host=flags.host, symbol=flags.symbol, fresh=flags.fresh)
    watched = sys.stdout.isatty()
    configure_logging("paper", console=watched)
    served: list[Gateway] = []

    def told(gateway: Gateway, port: int) -> None:
        served.append(gateway)
        _tell(options, gateway, port, watched=watched)

    if watched:
        print("Making the world ...", flush=True)
    run(options, told)
    if watched:
        print(f"Stopped at {plain(served[0].now)} New York. The same command goes on from there.")


def _tell(options: PaperOptions, gateway: Gateway, port: int, *, watched: bool) -> None:
    """Say what is served: a line of the log, or, to a person at a terminal, how to use it."""
    from htbot.telemetry.logs import get_logger

    if not watched:
        log = get_logger("htbot.paper")
        log.info("listening", host=options.host, port=port, world=gateway.world_id, speed=str(options.speed))
        return
    speed = "max" if options.speed == "max" else f"{options.speed:g}x"
    lines = (
        f"Paper gateway at {options.host}:{port}: connect any IB program there. Ctrl-C stops it.",
        f"World {gateway.world_id}, {plain(gateway.now)} New York, speed {speed}.",
        f"Account {', '.join(gateway.accounts)}; books in {options.state_dir}.",
    )
    print("\n".join(lines), flush=True)
