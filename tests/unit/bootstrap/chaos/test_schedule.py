from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from htbot.bootstrap.chaos.faults import MAKE
from htbot.bootstrap.chaos.schedule import KINDS, plan_faults


def test_the_same_seed_gives_the_same_faults_and_another_one_others() -> None:
    assert plan_faults(4, 62, 118.0) == plan_faults(4, 62, 118.0)
    assert plan_faults(4, 62, 118.0) != plan_faults(5, 62, 118.0)


@pytest.mark.parametrize("count", [0, 1, 12, 62, 500])
def test_so_many_as_were_asked_for_in_order_and_within_the_time(count: int) -> None:
    planned = plan_faults(7, count, 100.0)
    assert len(planned) == count
    times = [fault.at_s for fault in planned]
    assert times == sorted(times)
    assert all(0 <= at_s <= 102 for at_s in times)


def test_a_long_run_has_every_kind_and_starts_the_whole_stack_anew_once() -> None:
    kinds = Counter(fault.kind for fault in plan_faults(1, 62, 118.0))
    assert kinds.keys() == {kind.name for kind in KINDS}
    assert kinds["kill_supervisord"] == 1
    assert Counter(fault.kind for fault in plan_faults(1, 2000, 4000.0))["kill_supervisord"] == 1


def test_a_short_run_has_no_kind_twice_and_never_starts_everything_anew() -> None:
    for seed in range(50):
        kinds = [fault.kind for fault in plan_faults(seed, 12, 40.0)]
        assert len(set(kinds)) == 12
        assert "kill_supervisord" not in kinds


def test_faults_come_in_blows_with_pauses_between_them() -> None:
    times = [fault.at_s for fault in plan_faults(3, 62, 118.0)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert sum(gap > 2.5 for gap in gaps) >= 10


def test_every_kind_can_be_made_and_nothing_is_made_that_is_never_drawn() -> None:
    assert MAKE.keys() == {kind.name for kind in KINDS}
