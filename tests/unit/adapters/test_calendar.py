from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.support.shared_data import sessions, shared_file

from htbot.adapters.calendar import load_sessions
from htbot.domain.errors import ConfigurationError


def test_sessions_of_a_year(tmp_path: Path) -> None:
    table = load_sessions(date(2024, 3, 1), date(2024, 7, 1), tmp_path)
    assert (table.all()[0].day, table.all()[-1].day, len(table)) == (date(2024, 1, 2), date(2024, 12, 31), 252)
    assert table.on(date(2024, 7, 4)) is None
    half = table.on(date(2024, 7, 3))
    assert half is not None
    assert (half.early_close, half.closes) == (True, datetime(2024, 7, 3, 17, 0, tzinfo=UTC))
    full = table.on(date(2024, 12, 2))
    assert full is not None
    assert (full.early_close, full.opens) == (False, datetime(2024, 12, 2, 14, 30, tzinfo=UTC))


def test_the_kept_table_is_the_same_and_needs_no_library(tmp_path: Path) -> None:
    first = load_sessions(date(2024, 1, 1), date(2024, 12, 31), tmp_path)
    script = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from htbot.adapters.calendar import load_sessions\n"
        "print(len(load_sessions(date(2024, 1, 1), date(2024, 12, 31), Path(sys.argv[1]))),"
        " 'exchange_calendars' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["252", "False", "False"]
    assert load_sessions(date(2024, 1, 1), date(2024, 12, 31), tmp_path).all() == first.all()


@pytest.mark.parametrize(
    "text", ["", "day,opens,closes,early_close\n2024-01-02,x,y,0\nend\n", "day,opens,closes,early_close\n"]
)
def test_a_damaged_table_is_made_again(tmp_path: Path, text: str) -> None:
    load_sessions(date(2024, 1, 1), date(2024, 12, 31), tmp_path)
    [kept] = tmp_path.iterdir()
    kept.write_text(text)
    assert len(load_sessions(date(2024, 1, 1), date(2024, 12, 31), tmp_path)) == 252
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]


@pytest.mark.parametrize(("first", "last"), [(2025, 2024), (1950, 2024), (2024, 2200)])
def test_years_that_nobody_knows(first: int, last: int) -> None:
    with pytest.raises(ConfigurationError, match="the calendar knows 1991 to 2100"):
        load_sessions(date(first, 1, 1), date(last, 12, 31))


def test_it_is_the_recorded_calendar() -> None:
    recorded = sessions(shared_file("oracle/us_sessions_2012_2027.csv"))
    last = recorded.all()[-1].day
    table = load_sessions(date(2012, 1, 1), date(2027, 12, 31))
    assert [session for session in table.all() if session.day <= last] == recorded.all()
