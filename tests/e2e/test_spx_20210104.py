"""SPX on 2021-01-04, one session without history: `HTBOT_BAR_MINUTES=1 HTBOT_TREND_WARMUP=seeded` (RULINGS 25)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.day_checks import at, check_day, played
from tests.support.breakout_reading import NEW_YORK, Rules
from tests.support.shared_data import shared_file

from htbot.settings import project_root

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

FILES = ("market/spx_1m.parquet", "market/option_spx_spxw_quote_1m.parquet")
STRIKES_WITH_QUOTES = {"3700.00", "3800.00"}


def play(files: list[Path], home: Path) -> dict[str, Any]:
    """The day by the command that a person would type."""
    line = [sys.executable, "-m", "htbot", "demo", "--symbol", "SPX", "--date", "2021-01-04", "--json"]
    for file in files:
        line += ["--data", str(file)]
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    chosen = {"HTBOT_BAR_MINUTES": "1", "HTBOT_TREND_WARMUP": "seeded", "TMPDIR": str(home)}
    done = subprocess.run(
        line, env=kept | chosen, cwd=project_root(), capture_output=True, text=True, check=False, timeout=800
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def test_the_day_of_ruling_25(tmp_path: Path) -> None:
    files = [shared_file(name) for name in FILES]
    (home := tmp_path / "tmp").mkdir()

    summary = play(files, home)

    first = summary["signals"][0]
    told = at(first["ts"]).astimezone(NEW_YORK)
    assert (told.hour, told.minute) == (10, 32)
    assert (first["direction"], first["accepted"]) == (-1, True)
    assert summary["trades"], "risk accepted a signal and nothing was traded"
    legs = summary["trades"][0]["legs"]
    assert [(leg["side"], leg["right"]) for leg in legs] == [("SELL", "C"), ("BUY", "C")]
    assert float(legs[0]["strike"]) < float(legs[1]["strike"]), "a bear call sells the lower strike"
    assert all(fill["modelled"] == (fill["strike"] not in STRIKES_WITH_QUOTES) for fill in summary["fills"])
    assert all(at(fill["ts"]) <= datetime(2021, 1, 4, 21, tzinfo=UTC) for fill in summary["fills"])
    check_day(played(summary, files, Rules(minutes=1, warmup="seeded"), tmp_path / "state"))
    assert list(home.iterdir()) == [], "the demo left something behind"
