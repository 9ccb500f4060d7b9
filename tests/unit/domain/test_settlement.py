from __future__ import annotations

from datetime import date

import pytest

from htbot.domain.settlement import holidays, settles_on


@pytest.mark.parametrize(
    ("traded", "days", "settled"),
    [
        ("2026-11-18", 1, "2026-11-19"),
        ("2026-11-20", 1, "2026-11-23"),  # over a weekend
        ("2026-11-25", 1, "2026-11-27"),  # over Thanksgiving
        ("2026-10-09", 1, "2026-10-13"),  # Columbus Day: stocks trade, money does not move
        ("2026-10-12", 1, "2026-10-13"),
        ("2025-11-10", 1, "2025-11-12"),  # Veterans Day
        ("2026-04-02", 1, "2026-04-06"),  # Good Friday
        ("2026-12-31", 1, "2027-01-04"),
        ("2023-11-09", 1, "2023-11-10"),  # Veterans Day on a Saturday is not kept
        ("2023-12-29", 1, "2024-01-02"),
        ("2022-12-30", 1, "2023-01-03"),  # New Year on a Sunday is kept on Monday
        ("2026-11-20", 2, "2026-11-24"),
        ("2026-11-20", 0, "2026-11-20"),
    ],
)
def test_settlement_days(traded: str, days: int, settled: str) -> None:
    assert settles_on(date.fromisoformat(traded), days) == date.fromisoformat(settled)


def test_holidays_of_a_year() -> None:
    """As the Federal Reserve publishes them for 2026, and Good Friday."""
    days = ["01-01", "01-19", "02-16", "04-03", "05-25", "06-19", "07-04", "09-07", "10-12", "11-11", "11-26", "12-25"]
    assert sorted(f"{day:%m-%d}" for day in holidays(2026)) == days
