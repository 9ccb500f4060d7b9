"""One trading day through the whole stack: the rules hold on what it left, and the same day goes the same way twice."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.e2e.day_checks import check_day, played
from tests.support.breakout_reading import Rules
from tests.support.synthetic_file import write_synthetic_file

from htbot.bootstrap.demo import DemoOptions, run

# A fixed day of the synthetic market, replayed from a file of its bars: the suite must not depend on today's date.
DAY = date(2026, 3, 3)

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_day_keeps_its_rules_and_repeats_to_the_byte(tmp_path: Path) -> None:
    data = (write_synthetic_file(tmp_path / "spx.csv", "SPX", DAY),)
    first = run(DemoOptions(data=data, day=DAY, symbol="SPX"))
    second = run(DemoOptions(data=data, day=DAY, symbol="SPX"))

    assert first.journal == second.journal
    assert first.summary["trades"], "a newcomer's first day has a trade"
    check_day(played(first.summary, data, Rules(), tmp_path))
