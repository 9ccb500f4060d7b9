from __future__ import annotations

import pytest

from htbot.bootstrap.chaos.tempo import LONGEST_PAUSE_S, Tempo


class Made:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        return self.count


def test_a_blow_comes_when_its_share_of_the_intents_is_under_way() -> None:
    made = Made()
    tempo = Tempo(100, 4, made)
    assert tempo.share == 0.2
    made.count = 15
    assert tempo.next_blow(0.0, struck=True) is None
    made.count = 16
    assert tempo.next_blow(0.1, struck=True) == 0
    assert tempo.share == 0.4


def test_a_system_that_does_not_trade_again_is_hit_all_the_same() -> None:
    tempo = Tempo(100, 2, Made())
    assert tempo.next_blow(10.0, struck=True) is None
    assert tempo.next_blow(10.0 + LONGEST_PAUSE_S - 0.1, struck=True) is None
    assert tempo.next_blow(10.0 + LONGEST_PAUSE_S, struck=True) == 0


def test_the_pause_begins_when_the_blow_has_struck_and_the_intents_before_it_do_not_count() -> None:
    made = Made()
    tempo = Tempo(10, 2, made)
    made.count = 5
    assert tempo.next_blow(0.0, struck=True) == 0
    assert tempo.next_blow(100.0, struck=False) is None
    assert tempo.next_blow(101.0, struck=True) is None
    assert tempo.next_blow(101.0 + LONGEST_PAUSE_S, struck=True) == 1


def test_after_the_last_blow_everything_may_be_made() -> None:
    tempo = Tempo(10, 1, lambda: 10)
    assert tempo.next_blow(0.0, struck=True) == 0
    assert tempo.share == 1.0
    assert tempo.next_blow(99.0, struck=True) is None
    assert Tempo(10, 0, lambda: 0).share == pytest.approx(1.0)
