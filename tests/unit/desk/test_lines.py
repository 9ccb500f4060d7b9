"""A line that has ended beside a feed that lives (decision 0005)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from tests.support.record import NOON

from htbot.alerts.throttle import QUIET
from htbot.desk.lines import ANSWER_WITHIN_S, ASK_DEAD_EVERY_S, MOST_AT_ONCE, DeadTold, Lines

FEED, OPTION, OTHER = 1, 41501, 41500


@dataclass
class Place:
    """A feed that ticks every second, lines beside it, and who asks whether they live, once a second."""

    options: tuple[int, ...] = (OPTION, OTHER)
    held: tuple[int, ...] = ()
    now: datetime = NOON
    host_s: float = 100.0
    asked: list[int] = field(default_factory=list)
    told: list[tuple[int, str]] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)
    answers: bool = True

    def __post_init__(self) -> None:
        self.lines = Lines(exact=False, monotonic=lambda: self.host_s)
        self.lines.feed = FEED
        self.lines.on_ticks((FEED, *self.options), self.now)

    @property
    def subscribed(self) -> frozenset[int]:
        return frozenset((FEED, *self.options))

    def renew(self, contract_id: int) -> None:
        self.asked.append(contract_id)
        if self.answers and contract_id not in self.silent:
            self.lines.on_ticks([contract_id], self.now)

    def wait(self, seconds: float, *, feed: bool = True) -> None:
        for _ in range(int(seconds)):
            self.now += timedelta(seconds=1)
            self.host_s += 1
            self.lines.on_ticks([FEED] if feed else [], self.now)
            self.told += self.lines.look(self, self.held, self.now)

    def age_s(self, con_id: int) -> float | None:
        at = self.lines.stands_at(con_id, self.now)
        return None if at is None else (self.now - at).total_seconds()


def test_a_quiet_line_that_answers_stands_and_nobody_is_told() -> None:
    place = Place()
    for _ in range(200):
        place.wait(1)
        assert place.age_s(OPTION) == 0
    assert place.asked.count(OPTION) == 200 // 31
    assert place.told == []


def test_a_line_that_has_ended_beside_a_living_feed_prices_nothing_and_is_told_once() -> None:
    place = Place(silent={OPTION})
    place.wait(31 + ANSWER_WITHIN_S)
    assert place.age_s(OPTION) == 0, "it may still answer"
    place.wait(1)
    assert (place.age_s(OPTION), place.age_s(OTHER)) == (None, 0)
    place.wait(3 * ASK_DEAD_EVERY_S)
    assert [con_id for con_id, _why in place.told] == [OPTION]
    assert place.asked.count(OPTION) == 4, "once a minute: it may wake up"
    place.lines.on_ticks([OPTION], place.now)
    assert place.age_s(OPTION) == 0


def test_a_dead_line_that_is_woken_stands_again_and_may_die_again() -> None:
    place = Place(silent={OPTION})
    place.wait(50)
    place.silent.clear()
    place.wait(ASK_DEAD_EVERY_S)
    assert place.age_s(OPTION) == 0
    place.silent.add(OPTION)
    place.wait(50)
    assert [con_id for con_id, _why in place.told] == [OPTION, OPTION]


@pytest.mark.parametrize("held", [True, False])
def test_a_held_line_that_has_never_ticked_is_asked_and_told(*, held: bool) -> None:
    """After a reconnect it may be that nothing comes on it: it prices nothing, and a person hears of it."""
    place = Place(held=(OPTION,) if held else (), silent={OPTION})
    place.lines.restart()
    place.lines.on_ticks((FEED, OTHER), place.now)
    place.wait(31 + ANSWER_WITHIN_S)
    assert (place.asked.count(OPTION), place.told, place.age_s(OPTION)) == (int(held), [], None)
    place.wait(2)
    assert [con_id for con_id, _why in place.told] == [OPTION] * held
    place.silent.clear()
    place.wait(ASK_DEAD_EVERY_S)
    assert place.age_s(OPTION) == (0 if held else None)


def test_while_everything_is_silent_no_line_is_called_dead() -> None:
    """An outage in which nothing answers proves nothing about one line."""
    place = Place()
    place.wait(30)
    place.answers = False
    place.wait(1)
    assert OPTION in place.asked
    place.wait(60, feed=False)
    assert place.told == []
    assert place.age_s(OPTION) == 60, "and nothing stands"
    place.answers = True
    place.wait(2)
    assert (place.told, place.age_s(OPTION)) == ([], 0)


def test_what_is_held_is_asked_first_and_few_at_a_time() -> None:
    place = Place(options=tuple(range(100, 120)), held=(117, 119))
    place.wait(31)
    assert place.asked == [117, 119]
    place.wait(1)
    assert place.asked[2:] == [100, 101]
    assert MOST_AT_ONCE == 2


def test_what_the_broker_refuses_is_dead_at_once_and_asked_again_while_it_is_held_only() -> None:
    place = Place(silent={OPTION, OTHER}, held=(OPTION,))
    for con_id in place.options:
        place.lines.ended(con_id, "354 Requested market data is not subscribed")
    assert place.age_s(OPTION) is None
    place.wait(1)
    assert place.told == [(con_id, "354 Requested market data is not subscribed") for con_id in place.options]
    place.wait(ASK_DEAD_EVERY_S + 1)
    assert place.asked == [OPTION]
    assert len(place.told) == 2


@pytest.mark.parametrize("con_id", [OPTION, FEED])
def test_a_stepped_world_and_the_feed_itself_are_asked_nothing(con_id: int) -> None:
    place = Place(options=(OPTION,) if con_id == OPTION else ())
    if con_id == OPTION:
        place.lines = Lines(exact=True, monotonic=lambda: place.host_s)
        assert place.lines.stands_at(OPTION, NOON) == NOON
    place.wait(100, feed=con_id == OPTION)
    assert place.asked == []


def test_a_new_session_begins_without_what_the_last_one_knew() -> None:
    place = Place(silent={OPTION})
    place.wait(50)
    place.lines.restart()
    assert place.lines.look(place, (), place.now) == []
    assert place.age_s(OTHER) is None
    place.lines.on_ticks([OPTION], place.now)
    assert place.age_s(OPTION) == 0


def test_of_dead_lines_those_that_are_held_are_told_always_and_others_wait() -> None:
    told, dead, held = DeadTold(), {FEED, OPTION, OTHER}, {OPTION}
    assert told.due([(OTHER, "a"), (FEED, "b")], dead, held, NOON) == ["a", "b"]
    later = told.due([(OTHER, "c"), (FEED, "c"), (OPTION, "d")], dead, held, NOON)
    assert later == ["d"], "a held one is not held back"
    assert told.due([(OPTION, "e")], dead, held, NOON + QUIET / 2) == [], "not the same again at once"
    after = told.due([], dead - {FEED}, held, NOON + QUIET)
    assert after == ["e", "c"], "what waited is not forgotten, unless it lives again"
    assert told.due([], dead, held, NOON + 3 * QUIET) == []
