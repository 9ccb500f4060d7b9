from __future__ import annotations

from datetime import UTC, datetime

import pytest

from htbot.dashboard.look import COOKIE, Look

NOON = datetime(2026, 3, 3, 17, 5, 6, tzinfo=UTC)


def test_without_a_choice_times_are_new_yorks_and_the_system_chooses_the_theme() -> None:
    look = Look.of({})
    assert (look.dark, look.clock(NOON), look.zone_mark(NOON)) == (None, "12:05:06", "EST")


def test_a_choice_is_kept() -> None:
    look = Look.of({COOKIE: "dark.local.Europe/Zurich"})
    assert (look.dark, look.clock(NOON, seconds=False), look.zone_name) == (True, "18:05", "local")
    assert Look.of({COOKIE: "light.ny.Europe/Zurich"}).clock(NOON) == "12:05:06"
    assert Look.of({COOKIE: "light.ny.Europe/Zurich.DU1000002"}).account == "DU1000002"
    assert look.account is Look.of({COOKIE: "light.ny.UTC.<b>"}).account is None, "all of them"
    assert look.clock(None) == look.moment(None) == "—"


@pytest.mark.parametrize(
    "text", ["", "pink.local.", "dark.local.../../etc/passwd", "dark.local.Mars/Base", "..", "a" * 9999]
)
def test_anything_else_is_the_default(text: str) -> None:
    look = Look.of({COOKIE: text})
    assert not look.local
    assert look.clock(NOON) == "12:05:06"
