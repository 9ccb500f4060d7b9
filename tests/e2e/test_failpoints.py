"""A desk that is killed or frozen at any edge of a send: one order for each reference, and no close is lost.

The long form: `python -m tests.proofs.failpoints --rounds 100 --seed 1`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.proofs.failpoints.books import judge
from tests.proofs.failpoints.cases import JOURNAL_ONLY, KILL, STOP, Case, Runner, What
from tests.proofs.failpoints.site import Site
from tests.support.postgres import PostgresServer, postgres_server, record_template  # noqa: F401 - fixtures

from htbot.telemetry.failpoints import EDGES

ENTRY_EDGES = ("after_claim", "before_send", "after_send", "before_commit")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def site(postgres_server: PostgresServer, record_template: str, tmp_path: Path) -> Iterator[Site]:  # noqa: F811
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)
    made = Site(tmp_path, postgres_server.create(record_template))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def chosen() -> list[Case]:
    """Each edge once for a close, four for an entry too, killed; two closes frozen.

    An entry waits until the one before is out of doubt, which takes the settle time: the rest is for the long form.
    """
    closes = [Case(What.GUARD if edge in JOURNAL_ONLY else What.TASK, edge, KILL) for edge in EDGES]
    entries = [Case(What.ENTRY, edge, KILL) for edge in ENTRY_EDGES]
    frozen = [Case(What.TASK, "before_send", STOP), Case(What.TASK, "after_send", STOP)]
    return [*closes, *frozen, *entries]


@pytest.mark.fault(3)
@pytest.mark.fault(4)
@pytest.mark.ruling(33)
def test_every_edge_of_a_send_is_survived(site: Site) -> None:
    runner = Runner(site, Random(4))
    cases = chosen()
    runner.stock(sum(case.what is What.TASK for case in cases))
    for case in cases:
        run = runner.run(case)
        logging.getLogger(__name__).warning("%s: back after %.1f s", case, run.back_s)
    verdict = judge(runner, runner.finish())
    assert verdict.sound, verdict
    assert {(run.case.what is What.ENTRY, run.case.edge) for run in runner.runs} >= {
        *((False, edge) for edge in EDGES),
        *((True, edge) for edge in ENTRY_EDGES),
    }
    killed = sum(life.code == -9 for life in site.desk.lives)
    assert killed >= len(cases), "each case has cost a life"
    assert len(site.desk.lives) == killed, f"a desk ended by itself: {site.desk.lives}"
