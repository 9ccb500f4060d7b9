"""`htbot paper`: the paper gateway on its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from htbot.cli import paper_fault
from htbot.cli.flags import taking

_DATA = typer.Option("--data", help="Parquet or CSV file; may be given several times.")
_CONTROL = typer.Option(help="Port on loopback for `htbot paper fault`, 0: any free one; default: none.")


@dataclass(frozen=True, slots=True)
class PaperFlags:
    """Options of `htbot paper`; None leaves it to the settings."""

    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int | None, typer.Option(help="Port; default: PAPER_PORT.")] = None
    market: Annotated[str | None, typer.Option(help="synthetic or replay; --data means replay.")] = None
    data: Annotated[list[Path] | None, _DATA] = None
    bar: Annotated[str | None, typer.Option(help="Bar length of the data: 1s, 5m, 1d; default: the commonest gap.")] = (
        None
    )
    symbol: Annotated[str | None, typer.Option(help="Symbol a replay must have; default HTBOT_SYMBOL; `any`.")] = None
    start: Annotated[str | None, typer.Option(help="Market time or session to begin at, ISO.")] = None
    end: Annotated[str | None, typer.Option(help="Market time to stop at, ISO.")] = None
    speed: Annotated[str | None, typer.Option(help="Market seconds per second, or max: stepped.")] = None
    seed: Annotated[int | None, typer.Option(help="Seed of the synthetic market.")] = None
    accounts: Annotated[str | None, typer.Option(help="Accounts, separated by commas.")] = None
    cash: Annotated[str | None, typer.Option(help="Cash of each new account, USD.")] = None
    listing: Annotated[str | None, typer.Option(help="modelled or historical.")] = None
    scenario: Annotated[str | None, typer.Option(help="walk, trend, chop, gap, halt or spike.")] = None
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin a new world; the old books stay behind.")] = False
    faults: Annotated[Path | None, typer.Option(help="YAML script of faults.")] = None
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
    """Serve the TWS protocol on loopback until told to stop. What is not given is taken from the PAPER_ settings."""
    from htbot.bootstrap.paper import run
    from htbot.bootstrap.paper_options import paper_options
    from htbot.paper.gateway import Gateway
    from htbot.telemetry import configure_logging, get_logger

    options = paper_options(flags.settings(), host=flags.host, symbol=flags.symbol, fresh=flags.fresh)
    configure_logging("paper", console=sys.stdout.isatty())
    log = get_logger("htbot.paper")

    def told(gateway: Gateway, port: int) -> None:
        log.info("listening", host=options.host, port=port, world=gateway.world_id, speed=str(options.speed))

    run(options, told)
