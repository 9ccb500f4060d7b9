from __future__ import annotations

import signal
from types import MappingProxyType
from typing import Any

import pytest

from htbot.bootstrap.chaos.faults import Injector
from htbot.bootstrap.chaos.proxy import Disturbance, Kind
from htbot.bootstrap.chaos.schedule import PlannedFault
from htbot.bootstrap.chaos.site import NotNow
from htbot.bootstrap.chaos.tempo import Tempo


class Proxy:
    def __init__(self) -> None:
        self.applied: list[Disturbance] = []
        self.lifted: list[int] = []

    def apply(self, disturbance: Disturbance) -> int:
        self.applied.append(disturbance)
        return len(self.applied)

    def lift(self, numbers: list[int]) -> None:
        self.lifted += numbers


class Site:
    """Programs that are there or not."""

    def __init__(self, *away: str) -> None:
        self.away = set(away)
        self.proxy = Proxy()
        self.sent: list[tuple[str, signal.Signals]] = []
        self.armed: list[tuple[str, dict[str, object]]] = []

    def send(self, program: str, number: signal.Signals) -> int:
        if program in self.away:
            raise NotNow(f"{program} does not run")
        self.sent.append((program, number))
        return 1

    def ask_gateway(self, fault: str, **fields: object) -> None:
        self.armed.append((fault, fields))


def injector(site: Site, *plan: PlannedFault, patience_s: float = 45.0) -> Injector:
    missing: Any = None
    there: Any = site
    tempo = Tempo(0, 1 + max(item.blow for item in plan), lambda: 0)
    return Injector(there, missing, missing, plan, 2.0, tempo, patience_s=patience_s, again_s=0.0)


def planned(kind: str, **choices: float) -> PlannedFault:
    return PlannedFault(0, 0.0, kind, MappingProxyType(choices))


def test_a_kill_is_over_at_once() -> None:
    site = Site()
    at_work = injector(site, planned("kill_desk"))
    at_work.step()
    assert site.sent == [("desk", signal.SIGKILL)]
    (happened,) = at_work.happened
    assert happened.over_at is not None
    assert happened.over_at >= happened.at
    assert at_work.done


def test_what_lasts_is_lifted_after_its_time_and_over_only_then() -> None:
    site = Site()
    at_work = injector(site, planned("drop_request", hold_s=60.0, times=2.0))
    at_work.step()
    assert [(item.kind, item.times) for item in site.proxy.applied] == [(Kind.DROP_REQUEST, 2)]
    assert (site.proxy.lifted, at_work.happened[0].over_at, at_work.done) == ([], None, False)
    at_work.lift_all()
    assert site.proxy.lifted == [1]
    assert at_work.happened[0].over_at is not None
    assert at_work.done


def test_a_victim_that_is_away_is_waited_for_and_one_that_never_comes_is_missed() -> None:
    site = Site("desk")
    at_work = injector(site, planned("kill_desk"))
    at_work.step()
    assert (at_work.happened, at_work.missed, at_work.done) == ([], [], False)
    site.away.clear()
    at_work.step()
    assert [item.kind for item in at_work.happened] == ["kill_desk"]
    never = injector(Site("desk"), planned("kill_desk"), patience_s=-1.0)
    never.step()
    assert [item.kind for item in never.missed] == ["kill_desk"]


def test_faults_of_the_gateway_are_asked_for_in_its_own_words() -> None:
    site = Site()
    at_work = injector(
        site,
        planned("late_order", by_s=12.5, times=2.0),
        planned("outage", for_s=20.0, lost=1.0),
        planned("gateway_restart", for_s=9.0, ids_back=4.0),
    )
    at_work.step()
    assert site.armed == [
        ("late-order", {"by_s": "12.5", "times": "2"}),
        ("outage", {"for_s": "20", "data": "lost", "fills": "learned"}),
        ("restart", {"for_s": "9", "ids_back": "4"}),
    ]
    outage = at_work.happened[1]
    assert outage.over_at is not None
    assert (outage.over_at - outage.at).total_seconds() == pytest.approx(10.0, abs=1.0), "20 s of a market at speed 2"
