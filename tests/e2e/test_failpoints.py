"""A desk that is killed or frozen at any edge of a send: one order for each reference, and no close is lost.

The long form: `python -m tests.proofs.failpoints --rounds 100 --seed 1`.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest
from tests.proofs.failpoints.cases import KILL, STOP, Run, What
from tests.proofs.failpoints.lanes import Lane, play, short_form
from tests.support.postgres import PostgresServer, postgres_server, record_template  # noqa: F401 - fixtures

from htbot.telemetry.failpoints import CHANGES, EDGES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.fault(3)
@pytest.mark.fault(4)
@pytest.mark.ruling(33)
def test_every_edge_of_a_send_is_survived(
    postgres_server: PostgresServer,  # noqa: F811
    record_template: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    lanes = [
        Lane(tmp_path / f"lane{number}", postgres_server.create(record_template), number, cases)
        for number, cases in enumerate(short_form())
    ]
    outcomes = list(play(lanes, len(lanes), _tell))
    for outcome in outcomes:
        assert outcome.verdict.sound, outcome.verdict
    runs = [run for outcome in outcomes for run in outcome.runs]
    struck = Counter((run.case.edge, run.case.act) for run in runs)
    changed = {(edge, KILL): 1 for edge in CHANGES} | {(CHANGES[-1], STOP): 1}
    assert struck == {(edge, KILL): 2 for edge in EDGES} | {(edge, STOP): 1 for edge in EDGES} | changed
    ways = {(what, shares) for what in What for shares in (False, True)} - {(What.PART, False)}
    assert {(run.case.what, run.case.shares) for run in runs} == ways
    assert sorted(run.case.edge for run in runs if run.case.what is What.PART) == sorted((*CHANGES, "after_send"))
    lives = [life for outcome in outcomes for life in outcome.lives]
    killed = sum(life.code == -9 for life in lives)
    assert killed >= len(runs), "each case has cost a life"
    assert len(lives) == killed, f"a desk ended by itself: {lives}"


def _tell(run: Run) -> None:
    logging.getLogger(__name__).warning("%s: back after %.1f s", run.case, run.back_s)
