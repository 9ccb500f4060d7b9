from __future__ import annotations

import pytest

from htbot.paper.errors import RequestError
from htbot.paper.feeds.pacing import HistoryPacing, Policy


class Watch:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def asked(
    pacing: HistoryPacing, identity: object, series: str = "TRADES", *, small: bool = True, client: int = 1
) -> bool:
    try:
        pacing.check(client, (1, series), identity, small=small)
    except RequestError:
        return False
    return True


def test_the_same_request_within_fifteen_seconds() -> None:
    watch = Watch()
    pacing = HistoryPacing("on", watch)
    assert asked(pacing, "a")
    with pytest.raises(RequestError, match=r"162: .*pacing violation"):
        pacing.check(1, (1, "TRADES"), "a", small=True)
    assert not asked(pacing, "a")
    assert asked(pacing, "a", client=2), "each client for itself"
    watch.now += 15
    assert asked(pacing, "a")


def test_the_sixth_for_one_series_within_two_seconds() -> None:
    watch = Watch()
    pacing = HistoryPacing("strict", watch)
    assert all(asked(pacing, number) for number in range(5))
    assert not asked(pacing, 5)
    assert asked(pacing, 6, "MIDPOINT")
    watch.now += 2
    assert asked(pacing, 7)
    lenient = HistoryPacing("on", watch)
    assert all(asked(lenient, number) for number in range(9))


@pytest.mark.parametrize(("series", "most"), [("TRADES", 60), ("BID_ASK", 30)])
def test_sixty_in_ten_minutes_and_both_sides_count_twice(series: str, most: int) -> None:
    watch = Watch()
    pacing = HistoryPacing("on", watch)
    for number in range(most):
        watch.now += 3
        assert asked(pacing, number, series)
    watch.now += 3
    assert not asked(pacing, most, series)
    watch.now += 600
    assert asked(pacing, most, series)


@pytest.mark.parametrize(
    ("policy", "small", "twice"), [("on", False, True), ("strict", False, False), ("off", True, True)]
)
def test_who_is_watched(policy: Policy, small: bool, twice: bool) -> None:
    pacing = HistoryPacing(policy, Watch())
    assert asked(pacing, "a", small=small)
    assert asked(pacing, "a", small=small) == twice


def test_a_client_that_left_is_forgotten() -> None:
    pacing = HistoryPacing("on", Watch())
    asked(pacing, "a")
    pacing.forget(1)
    assert asked(pacing, "a")
