from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from htbot.cli.demo import print_day

SIGNAL = {"ts": "2026-11-19T15:02:00+00:00", "symbol": "SPX", "direction": 1, "level": 5608.12, "reason": "above"}
TRADE = {"id": "t-1", "opened_at": "2026-11-19T15:02:00+00:00", "closed_at": None, "credit": "9.15"}
DAY: dict[str, Any] = {
    "symbol": "SPX",
    "date": "2026-11-19",
    "wall_s": 61.5,
    "signals": [SIGNAL],
    "orders": [],
    "fills": [],
    "trades": [TRADE],
    "mails": [],
    "pnl": {"gross": "590.00", "commissions": "14.67", "net": "575.33"},
}


@pytest.mark.parametrize(
    ("folder", "kept"), [(None, "are gone; --folder keeps them."), (Path("/kept"), "are in /kept.")]
)
def test_a_day_is_printed_as_the_other_commands_print_and_says_where_it_is(
    capsys: pytest.CaptureFixture[str], folder: Path | None, kept: str
) -> None:
    print_day(DAY, folder)
    told = capsys.readouterr().out
    (signal,) = (line.split() for line in told.splitlines() if "above" in line)
    assert signal[:4] == ["2026-11-19", "10:02:00", "SPX", "up"]
    (trade,) = (line.split() for line in told.splitlines() if line.startswith("t-1"))
    assert trade[:4] == ["t-1", "2026-11-19", "10:02:00", "-"]
    assert told.splitlines()[-1].endswith(kept)
