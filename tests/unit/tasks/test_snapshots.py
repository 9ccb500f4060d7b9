from __future__ import annotations

from types import SimpleNamespace

from tests.support.record import NOON, at

from htbot.tasks.base import wait_for_snapshot


class Desk:
    """Publishes one snapshot after the other, one per look."""

    def __init__(self, *instants: object) -> None:
        self.instants = list(instants)
        self.looks = 0

    def snapshot(self, symbol: str) -> object:
        assert symbol == "SPX"
        self.looks += 1
        at_present = self.instants[min(self.looks, len(self.instants)) - 1]
        return None if at_present is None else SimpleNamespace(as_of=at_present)


def taken(desk: Desk) -> object:
    found = wait_for_snapshot(SimpleNamespace(live=desk), "SPX", NOON)
    return None if found is None else found.as_of


def test_the_snapshot_of_the_instant_is_taken() -> None:
    assert taken(Desk(NOON)) == NOON


def test_it_is_waited_for() -> None:
    desk = Desk(None, at(-0.5), at(-0.5), NOON)
    assert taken(desk) == NOON
    assert desk.looks == 4


def test_a_later_one_is_not_taken_for_it() -> None:
    desk = Desk(at(0.5))
    assert taken(desk) is None
    assert desk.looks == 1
