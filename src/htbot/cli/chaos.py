"""`htbot chaos`: the real stack under load while its parts are killed, and what that came to."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from htbot.cli.failures import ExitCode
from htbot.cli.flags import taking
from htbot.cli.output import Json, print_facts, print_json, print_table

if TYPE_CHECKING:
    from htbot.bootstrap.chaos.report import ChaosResult
    from htbot.bootstrap.chaos.run import Standing

_FACTS = (
    "planned_intents", "planned_faults", "intents", "intents_under_faults", "faults", "broker_orders", "not_placed",
    "share_trades", "protective_orders", "protective_met",
    "duplicates", "lost_closes", "unknown", "orphans", "ledger_equals_broker",
    "recovery_p50_s", "recovery_p99_s", "longest_broken_s", "doubts", "doubt_p50_s", "doubt_p99_s", "seed", "wall_s",
)  # fmt: skip
_WIDE, _MOST = 110, 20


@dataclass(frozen=True, slots=True)
class ChaosFlags:
    """Options of `htbot chaos`."""

    intents: Annotated[int, typer.Option(min=2, max=1_000_000, help="Entries and closes to make.")] = 300
    faults: Annotated[int, typer.Option(min=0, max=1_000_000, help="Faults to inject.")] = 62
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of faults, load and market.")] = 1
    minutes: Annotated[float, typer.Option(min=1, help="Minutes after which no more faults and entries are begun.")] = (
        1440
    )
    as_json: Json = False


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(taking(ChaosFlags, chaos))


def chaos(flags: ChaosFlags) -> int | None:
    """Break the whole stack under load, compare both books, leave nothing running."""
    from htbot.bootstrap.chaos.run import ChaosFailed, ChaosOptions, run

    options = ChaosOptions(intents=flags.intents, faults=flags.faults, seed=flags.seed, minutes=flags.minutes)
    try:
        _print(run(options, _Teller(in_place=sys.stderr.isatty())), as_json=flags.as_json)
    except ChaosFailed as failed:
        _print(failed.result, as_json=flags.as_json)
        print(f"htbot: {failed}", file=sys.stderr)
        raise typer.Exit(ExitCode.ERROR) from failed
    return None


class _Teller:
    """Progress on standard error: one line written over on a terminal, else a line each ten seconds."""

    def __init__(self, *, in_place: bool) -> None:
        self._in_place = in_place
        self._told_s = float("-inf")

    def __call__(self, standing: Standing) -> None:
        if not self._in_place and standing.elapsed_s - self._told_s < 10:
            return
        self._told_s = standing.elapsed_s
        trouble = "; ".join(standing.complaints) or "everything is up"
        line = (
            f"{standing.elapsed_s:4.0f} s  {standing.intents} intents, {standing.live_trades} live trades, "
            f"{standing.faults} faults (last {standing.last_fault}): {trouble}"
        )
        if self._in_place:
            print(f"\r{line[:_WIDE]:<{_WIDE}}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _print(result: ChaosResult, *, as_json: bool) -> None:
    from htbot.bootstrap.chaos.report import COLUMNS

    shape: dict[str, Any] = result.shape()
    if as_json:
        print_json(shape)
        return
    print()
    print_facts((name.replace("_", " "), shape[name]) for name in _FACTS)
    print("faults: " + ", ".join(f"{count} {kind}" for kind, count in shape["faults_by_kind"].items()))
    for kind in ("findings", "halts", "not_back", "faults_missed"):
        for text in shape[kind][:_MOST]:
            print(f"{kind.replace('_', ' ')}: {text}")
        if len(shape[kind]) > _MOST:
            print(f"{kind.replace('_', ' ')}: and {len(shape[kind]) - _MOST} more, --json lists them all")
    print()
    print_table("300 intents under 62 faults, by bot", COLUMNS, result.table())
