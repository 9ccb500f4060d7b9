from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.record import NOON, at

from htbot.desk.clock import DeskClock
from htbot.marketdata.clock_state import Mode


class Host:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 500.0

    def __call__(self) -> float:
        return self.seconds


def paced(speed: float = 1.0) -> tuple[DeskClock, Host]:
    host = Host()
    return DeskClock(Mode.PAPER, speed, host), host


def test_time_is_not_known_before_it_was_told() -> None:
    clock, _host = paced()
    assert not clock.known
    with pytest.raises(RuntimeError, match="not known yet"):
        clock.now()
    clock.told(NOON)
    assert clock.known


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_paced_time_runs_at_its_speed_from_what_was_told(speed: float) -> None:
    clock, host = paced(speed)
    clock.told(NOON)
    host.seconds += 2.5
    assert clock.now() == at(0, 2.5 * speed)


def test_an_estimate_within_the_told_second_stays() -> None:
    clock, host = paced()
    clock.told(NOON)
    host.seconds += 5.7
    clock.told(at(0, 5))
    assert clock.now() == at(0, 5.7)


def test_a_clock_that_is_behind_catches_up() -> None:
    clock, _host = paced()
    clock.told(NOON)
    assert not clock.told(at(0, 4))
    assert clock.now() == at(0, 4)


def test_a_clock_that_is_ahead_stands_until_time_has_come() -> None:
    clock, host = paced()
    clock.told(NOON)
    host.seconds += 10
    assert clock.now() == at(0, 10)
    clock.told(at(0, 6))
    assert clock.now() == at(0, 10)
    host.seconds += 2
    assert clock.now() == at(0, 10)
    host.seconds += 2
    assert clock.now() == at(0, 11)


@given(
    words=st.lists(st.tuples(st.floats(0, 20), st.floats(0, 5)), min_size=1, max_size=30),
    speed=st.sampled_from([0.5, 1.0, 10.0, 60.0, 600.0]),
)
def test_time_never_runs_back_however_long_words_are_on_their_way(
    words: list[tuple[float, float]], speed: float
) -> None:
    clock, host = paced(speed)
    started = host.seconds
    clock.told(NOON)
    last = clock.now()
    for passed_s, late_s in words:
        host.seconds += passed_s
        true_s = max((host.seconds - late_s - started) * speed, 0.0)
        clock.told(NOON + timedelta(seconds=int(true_s)))
        assert clock.now() >= last
        last = clock.now()
    assert last <= NOON + timedelta(seconds=(host.seconds - started) * speed + 1)


def test_a_night_that_is_skipped_is_a_jump() -> None:
    clock, host = paced()
    clock.told(NOON)
    host.seconds += 1
    assert clock.told(at(17 * 60))
    assert clock.now() == at(17 * 60)


def test_another_world_may_be_earlier() -> None:
    clock, _host = paced()
    clock.told(NOON)
    clock.now()
    clock.told(at(-24 * 60))
    assert clock.now() == at(-24 * 60, 1)


def test_stepped_time_stands_where_it_was_told() -> None:
    host = Host()
    clock = DeskClock(Mode.STEPPED, None, host)
    assert clock.stepped
    clock.told(NOON)
    host.seconds += 100
    assert clock.now() == NOON
    assert not clock.told(at(0.5))
    assert clock.now() == at(0.5)
    assert clock.told(at(60))


def test_live_time_is_the_hosts() -> None:
    clock = DeskClock(Mode.LIVE, 1.0)
    assert not clock.known
    clock.told(NOON)
    assert clock.known
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert abs(clock.skew(datetime.now(UTC) - timedelta(seconds=7)) - timedelta(seconds=7)) < timedelta(seconds=5)
