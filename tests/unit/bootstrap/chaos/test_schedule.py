from __future__ import annotations

from collections import Counter

import pytest

from htbot.bootstrap.chaos.faults import MAKE
from htbot.bootstrap.chaos.schedule import BLOW_S, KINDS, plan_faults


def test_the_same_seed_gives_the_same_faults_and_another_one_others() -> None:
    assert plan_faults(4, 62) == plan_faults(4, 62)
    assert plan_faults(4, 62) != plan_faults(5, 62)


@pytest.mark.parametrize("count", [0, 1, 12, 62, 500])
def test_so_many_as_were_asked_for_in_blows_that_follow_each_other(count: int) -> None:
    planned = plan_faults(7, count)
    assert len(planned) == count
    moments = [(fault.blow, fault.at_s) for fault in planned]
    assert moments == sorted(moments)
    assert all(0 <= at_s <= BLOW_S for _, at_s in moments)
    assert {blow for blow, _ in moments} == set(range(1 + max((blow for blow, _ in moments), default=-1)))


def test_a_long_run_has_every_kind_and_starts_the_whole_stack_anew_once() -> None:
    kinds = Counter(fault.kind for fault in plan_faults(1, 62))
    assert kinds.keys() == {kind.name for kind in KINDS}
    assert kinds["kill_supervisord"] == 1
    assert Counter(fault.kind for fault in plan_faults(1, 2000))["kill_supervisord"] == 1


def test_a_short_run_has_no_kind_twice_and_never_starts_everything_anew() -> None:
    for seed in range(50):
        kinds = [fault.kind for fault in plan_faults(seed, 12)]
        assert len(set(kinds)) == 12
        assert "kill_supervisord" not in kinds


def test_a_blow_is_several_faults() -> None:
    sizes = Counter(fault.blow for fault in plan_faults(3, 62))
    assert all(10 <= size <= 12 for blow, size in sizes.items() if blow < max(sizes))
    assert len(sizes) in range(6, 8)


def test_every_kind_can_be_made_and_nothing_is_made_that_is_never_drawn() -> None:
    assert MAKE.keys() == {kind.name for kind in KINDS}
