"""When a position in shares has to be closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest

from htbot.domain.bars import TapeBar
from htbot.domain.sessions import Session
from htbot.engine.observation import Fired
from htbot.engine.share_entries import exit_rules, hours_of
from htbot.risk.limits import DEFAULT_HOURS
from htbot.strategies.bar_strategy import BarConfig

FULL = Session(date(2022, 8, 26), datetime(2022, 8, 26, 13, 30, tzinfo=UTC), datetime(2022, 8, 26, 20, tzinfo=UTC))
HALF = replace(FULL, closes=datetime(2022, 8, 26, 17, tzinfo=UTC), early_close=True)


@pytest.mark.parametrize(
    ("session", "exit_time", "leaves", "deadline"),
    [
        (FULL, time(15, 40), (15, 40), (15, 45)),
        (FULL, time(15, 50), (15, 45), (15, 45)),
        (HALF, time(15, 40), (12, 45), (12, 45)),
        (HALF, time(12, 30), (12, 30), (12, 45)),
    ],
)
def test_it_leaves_at_its_time_and_by_the_hard_deadline(
    session: Session, exit_time: time | None, leaves: tuple[int, int], deadline: tuple[int, int]
) -> None:
    bar = TapeBar(0, session.day.toordinal(), 600, 605, 960, False, *[100.0] * 5)
    rules = exit_rules(BarConfig(exit_time=exit_time), session, Fired("enter", 1, bar, 100.0, "because"))
    assert (rules.exit_at, rules.flat_deadline) == (session.at(*leaves), session.at(*deadline))


def test_nothing_is_entered_from_the_hard_deadline_on() -> None:
    assert hours_of(BarConfig(exit_time=time(15, 50)), DEFAULT_HOURS).exit_time == time(15, 45)


def test_without_an_exit_time_it_is_entered_until_the_close_and_no_time_of_the_day_closes_it() -> None:
    bar = TapeBar(0, HALF.day.toordinal(), 600, 605, 780, False, *[100.0] * 5)
    rules = exit_rules(BarConfig(), HALF, Fired("enter", 1, bar, 100.0, "because"))
    assert (rules.exit_at, rules.flat_deadline, rules.overnight) == (None, None, True)
    assert hours_of(BarConfig(), DEFAULT_HOURS).exit_time == time(16)
