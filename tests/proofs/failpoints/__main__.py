"""`python -m tests.proofs.failpoints --rounds 100 --seed 1`: every edge, kill, freeze and pause, and a table of it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median

from tests.proofs.failpoints.books import Verdict
from tests.proofs.failpoints.cases import KILL, PAUSE, STOP, Run, all_cases
from tests.proofs.failpoints.lanes import Lane, play
from tests.support.postgres import PostgresServer

from htbot.bootstrap.install.postgres import prepare
from htbot.persistence.migrations import upgrade

BLOCK = 25


def main() -> int:
    """Exit code 0 when every case was exactly once."""
    options = read_words()
    rng = Random(options.seed)
    every = all_cases(tuple(options.acts))
    cases = [case for _ in range(options.rounds) for case in rng.sample(every, len(every))]
    folder = Path(tempfile.mkdtemp(prefix="htbot-failpoints-"))
    _say(f"{len(cases)} cases, seed {options.seed}, in {folder}")
    server = PostgresServer(prepare(folder / "pg"), folder / "postgres.log")
    runs: list[Run] = []
    verdicts: list[Verdict] = []
    try:
        template = server.create()
        upgrade(template)
        blocks = [cases[begin : begin + BLOCK] for begin in range(0, len(cases), BLOCK)]
        lanes = [
            Lane(folder / f"lane-{number:05d}", _copy(server, template), rng.randrange(1 << 32), block)
            for number, block in enumerate(blocks)
        ]
        for outcome in play(lanes, options.lanes, _tell):
            runs += outcome.runs
            verdicts.append(outcome.verdict)
            _say(f"{len(runs)} cases: {'sound' if outcome.verdict.sound else outcome.verdict}")
    finally:
        server.stop()
    _say(table(runs, verdicts))
    sound = all(verdict.sound for verdict in verdicts)
    if sound:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if sound else 1


_BEGAN_S = time.monotonic()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _tell(run: Run) -> None:
    _say(f"{time.monotonic() - _BEGAN_S:6.0f} s {run.case}, back after {run.back_s:.1f} s")


def _copy(server: PostgresServer, template: str) -> str:
    return server.create(template.rpartition("/")[2])


def read_words(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command was called with."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.failpoints", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often each edge is tried in each way")
    parser.add_argument("--seed", type=int, default=1, help="of the order, the strikes and the length of pauses")
    parser.add_argument("--acts", nargs="+", choices=(KILL, STOP, PAUSE), default=(KILL, STOP, PAUSE))
    parser.add_argument("--lanes", type=int, default=4, help="how many desks, each in a world of its own, at a time")
    return parser.parse_args(words)


def table(runs: list[Run], verdicts: list[Verdict]) -> str:
    """A row for each way and edge, then what the books say."""
    by_case: defaultdict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for run in runs:
        by_case[
            f"{run.case.what.value}, {'shares' if run.case.shares else 'spread'}", run.case.edge, run.case.act
        ].append(run)
    lines = [
        "| what | edge | act | runs | resolved | back, median s | back, longest s | resolved, longest s |",
        "|" + "---|" * 8,
    ]
    for (what, edge, act), some in sorted(by_case.items()):
        back = [run.back_s for run in some if run.back_s is not None]
        done = [run.resolved_s for run in some if run.resolved_s is not None]
        figures = f"{median(back):.1f} | {max(back):.1f} | {max(done, default=float('nan')):.1f}"
        lines.append(f"| {what} | {edge} | {act} | {len(some)} | {len(done)} | {figures} |")
    counts = {
        "duplicates": sum(len(verdict.duplicates) for verdict in verdicts),
        "lost closes": sum(len(verdict.lost_closes) for verdict in verdicts),
        "unknown": sum(len(verdict.unknown) for verdict in verdicts),
        "strangers": sum(len(verdict.strangers) for verdict in verdicts),
        "differences": sum(len(verdict.differences) for verdict in verdicts),
    }
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    intents, orders = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("intents", "orders"))
    return "\n".join([*lines, f"{len(runs)} cases, {intents} intents, {orders} orders at the broker: {told}"])


if __name__ == "__main__":
    sys.exit(main())
