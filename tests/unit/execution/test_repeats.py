"""A try that was refused is made again after 1, 2, 4 ... 30 s."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.record import NOON

from htbot.execution.repeats import LONGEST_PAUSE_S, may_repeat


def test_the_first_try_waits_for_nothing() -> None:
    assert may_repeat(0, None, NOON)


@pytest.mark.parametrize(
    ("tries", "pause_s"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, LONGEST_PAUSE_S), (99, LONGEST_PAUSE_S)]
)
def test_each_pause_is_twice_the_last_up_to_a_cycle(tries: int, pause_s: int) -> None:
    assert not may_repeat(tries, NOON, NOON + timedelta(seconds=pause_s - 0.001))
    assert may_repeat(tries, NOON, NOON + timedelta(seconds=pause_s))
