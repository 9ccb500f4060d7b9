"""Several worlds side by side, each with a desk of its own: one starts while another waits out a freeze or a doubt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tests.proofs.failpoints.books import Verdict, judge
from tests.proofs.failpoints.cases import JOURNAL_ONLY, KILL, STOP, Case, Run, Runner, What
from tests.proofs.failpoints.site import Life, Site, sessions

from htbot.telemetry.failpoints import CHANGES, EDGES

Tell = Callable[[Run], None]


@dataclass(frozen=True, slots=True)
class Lane:
    """Cases that run one after the other in one world: its folder, its migrated record, the seed of its draws."""

    folder: Path
    database_url: str
    seed: int
    cases: Sequence[Case]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a lane: its runs, how its desks ended, what the two books say."""

    runs: list[Run]
    lives: list[Life]
    verdict: Verdict


def play(lanes: Sequence[Lane], at_once: int, tell: Tell = lambda _run: None) -> Iterator[Outcome]:
    """Outcomes as they come, with so many lanes at a time. The first that fails ends the others before they begin."""
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)
    sessions()
    with ThreadPoolExecutor(at_once, thread_name_prefix="lane") as pool:
        work = [pool.submit(_play, lane, tell) for lane in lanes]
        try:
            for done in as_completed(work):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _play(lane: Lane, tell: Tell) -> Outcome:
    site = Site(lane.folder, lane.database_url)
    try:
        site.start()
        runner = Runner(site, Random(lane.seed))
        runner.stock(lane.cases)
        for case in lane.cases:
            tell(runner.run(case))
        verdict = judge(runner, runner.finish())
        return Outcome(runner.runs, list(site.desk.lives), verdict)
    finally:
        site.stop()


def short_form() -> tuple[list[Case], ...]:
    """Every edge killed twice, of a close and where an entry comes to it of an entry, and frozen once, in four lanes.

    What needs an entry comes first in its lane: entries wait until nothing is in doubt, closes do not. A close by line
    closes everything, so it comes last. Every second case is traded in shares, with stop and target at the broker. The
    change of those is killed on either side, of an entry and of a part, and frozen behind it.
    """
    claimed = [edge for edge in EDGES if edge not in JOURNAL_ONLY]
    journal = [edge for edge in EDGES if edge in JOURNAL_ONLY]
    closes = [*_cases(What.GUARD, journal, KILL), *_cases(What.TASK, claimed, KILL)]
    before, after = (Case(what, edge, KILL, True) for what, edge in zip((What.PART, What.ENTRY), CHANGES, strict=True))
    sale = Case(What.PART, "after_send", KILL, shares=True)
    closes = [sale if case == replace(sale, what=What.TASK) else case for case in closes]
    entries = [*_cases(What.ENTRY, claimed, KILL), before, *_cases(What.LINE, journal, KILL)]
    half = len(claimed) // 2 + 1
    return (
        closes,
        entries,
        [after, *_cases(What.TASK, claimed[:half], STOP)],
        [
            replace(after, what=What.PART, act=STOP),
            *_cases(What.GUARD, journal, STOP),
            *_cases(What.TASK, claimed[half:], STOP),
        ],
    )


def _cases(what: What, edges: Sequence[str], act: str) -> list[Case]:
    return [Case(what, edge, act, shares=number % 2 == 1) for number, edge in enumerate(edges)]
