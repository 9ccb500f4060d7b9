from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from htbot.bootstrap.chaos.faults import Happened
from htbot.bootstrap.chaos.health import Look, recovery_s, whole_since

T0 = datetime(2026, 3, 4, 15, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def fault(begin: float, end: float | None = None, kind: str = "kill_desk") -> Happened:
    return Happened(kind, at(begin), {}, at(begin if end is None else end))


KILL = fault(0)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], 10.0),
        ([fault(3)], 10.0),  # another kill lasts no time: it is no excuse
        ([fault(2, 6)], 6.0),
        ([fault(2, 6), fault(4, 8)], 4.0),  # what overlaps is not counted twice
        ([fault(-5, 1)], 9.0),
        ([fault(8, 20)], 8.0),  # still lasting
        ([fault(-5, 20)], 0.0),
    ],
)
def test_time_in_which_another_fault_lasted_is_not_counted(others: list[Happened], expected: float) -> None:
    assert recovery_s(KILL, [KILL, *others], at(10)) == expected


def test_a_fault_that_still_lasts_takes_its_time_from_the_others() -> None:
    lasting = Happened("blackhole", at(4), {}, None)
    assert recovery_s(KILL, [KILL, lasting], at(10)) == 4.0


def test_whole_is_what_has_no_complaint_and_a_desk_that_spoke_after_the_fault() -> None:
    spoke = Look((), at(5), frozenset(), {})
    assert whole_since(spoke, at(4))
    assert not whole_since(spoke, at(5))
    assert not whole_since(Look(("api does not answer",), at(5), frozenset(), {}), at(4))
    assert not whole_since(Look((), None, frozenset(), {}), at(4))
