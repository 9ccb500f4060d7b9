from __future__ import annotations

import pytest

from htbot.bootstrap.chaos.tempo import CALM_S, LONGEST_PAUSE_S, Tempo


class System:
    """Trades and is up to its load, or not."""

    def __init__(self, *, ready: bool) -> None:
        self.ready = ready

    def __call__(self) -> bool:
        return self.ready


def test_a_blow_comes_as_soon_as_the_system_trades_and_opens_a_share_of_the_load() -> None:
    system = System(ready=False)
    tempo = Tempo(4, system)
    assert tempo.share == 0.2
    assert tempo.next_blow(0.0, struck=True) is None
    assert tempo.next_blow(CALM_S + 3, struck=True) is None
    system.ready = True
    assert tempo.next_blow(CALM_S + 3.1, struck=True) == 0
    assert tempo.share == 0.4


def test_what_the_desk_said_before_the_blow_had_struck_does_not_count() -> None:
    tempo = Tempo(2, System(ready=True))
    assert tempo.next_blow(10.0, struck=False) is None
    assert tempo.next_blow(12.0, struck=True) is None
    assert tempo.next_blow(12.0 + CALM_S - 0.1, struck=True) is None
    assert tempo.next_blow(12.0 + CALM_S, struck=True) == 0


def test_a_system_that_does_not_trade_again_is_hit_all_the_same() -> None:
    tempo = Tempo(2, System(ready=False))
    assert tempo.next_blow(10.0, struck=True) is None
    assert tempo.next_blow(10.0 + LONGEST_PAUSE_S - 0.1, struck=True) is None
    assert tempo.next_blow(10.0 + LONGEST_PAUSE_S, struck=True) == 0


def test_the_pause_begins_when_the_blow_has_struck() -> None:
    tempo = Tempo(2, System(ready=False))
    tempo.next_blow(0.0, struck=True)
    assert tempo.next_blow(LONGEST_PAUSE_S, struck=True) == 0
    assert tempo.next_blow(100.0, struck=False) is None
    assert tempo.next_blow(101.0, struck=True) is None
    assert tempo.next_blow(101.0 + LONGEST_PAUSE_S, struck=True) == 1


def test_when_the_time_is_over_no_blow_begins_and_the_rest_of_the_load_is_left_out() -> None:
    tempo = Tempo(4, System(ready=True), ends_s=60.0)
    tempo.next_blow(0.0, struck=True)
    assert tempo.next_blow(CALM_S, struck=True) == 0
    assert not tempo.over
    assert tempo.next_blow(60.0, struck=False) is None
    assert tempo.over
    assert tempo.next_blow(99.0, struck=True) is None
    assert tempo.share == 0.4


def test_after_the_last_blow_everything_may_be_made() -> None:
    tempo = Tempo(1, System(ready=True))
    tempo.next_blow(0.0, struck=True)
    assert tempo.next_blow(CALM_S, struck=True) == 0
    assert (tempo.share, tempo.over) == (1.0, True)
    assert tempo.next_blow(99.0, struck=True) is None
    assert Tempo(0, System(ready=False)).share == pytest.approx(1.0)
