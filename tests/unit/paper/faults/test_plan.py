from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.paper_world import SESSIONS, START

from htbot.domain.errors import CallerMistake, NotFound
from htbot.paper.faults.kinds import DropOrder, OrderFault, Reject
from htbot.paper.faults.plan import FaultPlan, OrderFacts, Script, fits
from htbot.paper.faults.reading import read_fault, words_to_fields
from htbot.paper.faults.script import read_script


def fault(line: str) -> Any:
    name, *words = line.split()
    return read_fault(name, words_to_fields(words))


def order(**more: Any) -> OrderFacts:
    given = {"client_id": 7, "ref": "entry-1", "symbol": "SPY", "action": "BUY", "type": "LMT", "quantity": Decimal(10)}
    return OrderFacts(**{**given, **more})


@pytest.fixture
def plan() -> FaultPlan:
    return FaultPlan(SESSIONS)


def meetings(plan: FaultPlan, count: int, kind: type[OrderFault] = Reject, at: datetime = START) -> list[bool]:
    return [plan.claim(kind, order(), at) is not None for _ in range(count)]


@pytest.mark.parametrize(
    ("selection", "met", "not_met"),
    [
        ("client=7", {}, {"client_id": 0}),
        ("ref=entry-*", {}, {"ref": "exit-1"}),
        ("symbol=spy", {}, {"symbol": "SPYG"}),
        ("action=BUY", {}, {"action": "SELL"}),
        ("type=lmt", {}, {"type": "MKT"}),
        ("above=9.5", {}, {"quantity": Decimal("9.5")}),
    ],
)
def test_each_field_selects(selection: str, met: dict[str, Any], not_met: dict[str, Any]) -> None:
    wanted = fault(f"reject {selection}")
    assert fits(wanted, order(**met))
    assert not fits(wanted, order(**not_met))


def test_a_fault_meets_once_unless_told_otherwise(plan: FaultPlan) -> None:
    plan.arm(fault("reject"), START, "control")
    assert meetings(plan, 3) == [True, False, False]
    assert not plan.waits()


def test_counts_begin_with_the_nth_that_fits(plan: FaultPlan) -> None:
    plan.arm(fault("reject nth=3 times=2 symbol=SPY"), START, "control")
    assert plan.claim(Reject, order(symbol="QQQ"), START) is None
    assert meetings(plan, 6) == [False, False, True, True, False, False]


def test_a_share_is_drawn_from_the_seed_alone(plan: FaultPlan) -> None:
    plan.arm(fault("reject times=always probability=0.3 seed=1"), START, "control")
    first = meetings(plan, 400)
    again = FaultPlan(SESSIONS)
    again.arm(fault("reject times=always probability=0.3 seed=1"), START, "control")
    assert meetings(again, 400) == first
    assert 90 < sum(first) < 150


def test_another_kind_is_not_met(plan: FaultPlan) -> None:
    plan.arm(fault("drop-order"), START, "control")
    assert meetings(plan, 1) == [False]
    assert meetings(plan, 1, DropOrder) == [True]


def test_a_fault_waits_for_its_time(plan: FaultPlan) -> None:
    plan.arm(fault("reject at=10:00:05"), START, "control")
    assert meetings(plan, 1) == [False]
    assert meetings(plan, 1, at=START + timedelta(seconds=5)) == [True]


def test_times_that_cannot_be_are_refused(plan: FaultPlan) -> None:
    with pytest.raises(CallerMistake, match="is before the market's time 2024-01-02T10:00:00-0500"):
        plan.arm(fault("reject at=2024-01-02T09:59"), START, "control")
    with pytest.raises(CallerMistake, match="no session is left for at=09:00:00"):
        plan.arm(fault("reject at=09:00"), START + timedelta(days=1), "control")


def test_events_are_due_once_and_daily_ones_again(plan: FaultPlan) -> None:
    plan.arm(fault("disconnect at=10:00:30"), START, "control")
    plan.arm(fault("restart at=10:00:30 daily=yes"), START, "control")
    at = START + timedelta(seconds=30)
    assert plan.next_event() == at
    assert plan.due(START) == []
    assert [event.name for event in plan.due(at)] == ["disconnect", "restart"]
    assert plan.due(at) == []
    assert plan.next_event() == at + timedelta(days=1)
    assert [event.name for event in plan.due(at + timedelta(days=1, minutes=3))] == ["restart"]
    assert plan.next_event() is None


def test_faults_are_cleared_by_number_or_all_at_once(plan: FaultPlan) -> None:
    for _ in range(3):
        plan.arm(fault("reject"), START, "control")
    assert plan.clear(2) == 1
    assert [row["number"] for row in plan.rows()] == [1, 3]
    with pytest.raises(NotFound, match="no fault has the number 2"):
        plan.clear(2)
    assert plan.clear() == 2
    assert not plan.waits()


def test_the_number_of_faults_is_bounded(plan: FaultPlan) -> None:
    for _ in range(1000):
        plan.arm(fault("reject"), START, "control")
    with pytest.raises(CallerMistake, match="1000 faults are armed"):
        plan.arm(fault("reject"), START, "control")
    assert meetings(plan, 1) == [True]
    plan.arm(fault("reject"), START, "control")  # room was made by one that is over


def script_of(tmp_path: Path, text: str) -> Script:
    path = tmp_path / "day.yaml"
    path.write_text(text)
    return read_script(path)


def test_a_restored_plan_goes_on_in_the_middle(plan: FaultPlan, tmp_path: Path) -> None:
    script = script_of(tmp_path, "- {fault: reject, nth: 2, times: 2}\n- {fault: outage, at: '10:30'}\n")
    plan.follow(script, START)
    assert meetings(plan, 2) == [False, True]
    again = FaultPlan(SESSIONS)
    again.restore(json.loads(json.dumps(plan.document())))
    again.follow(script, START + timedelta(minutes=10))
    assert again.rows() == plan.rows()
    assert meetings(again, 2) == [True, False]


def test_without_its_script_a_plan_keeps_only_what_people_armed(plan: FaultPlan, tmp_path: Path) -> None:
    plan.arm(fault("drop-order"), START, "control")
    assert plan.follow(script_of(tmp_path, "- fault: reject\n"), START)
    assert plan.follow(Script(), START)
    assert not plan.follow(Script(), START)
    assert [row["fault"] for row in plan.rows()] == ["drop-order"]


def test_a_changed_script_begins_anew_and_misses_what_is_past(plan: FaultPlan, tmp_path: Path) -> None:
    plan.arm(fault("drop-order"), START, "control")
    plan.follow(script_of(tmp_path, "- fault: reject\n"), START)
    plan.follow(script_of(tmp_path, "- fault: outage\n  at: 2024-01-02T09:30\n- fault: outage\n"), START)
    assert [(row["source"], row["fault"], row["state"]) for row in plan.rows()] == [
        ("control", "drop-order", "armed"),
        ("line 1", "outage", "over"),
        ("line 3", "outage", "armed"),
    ]
