from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any

import pytest

from htbot.bootstrap.chaos import faults
from htbot.bootstrap.chaos.faults import Injector
from htbot.bootstrap.chaos.proxy import Disturbance, Kind
from htbot.bootstrap.chaos.schedule import PlannedFault
from htbot.bootstrap.chaos.site import NotNow
from htbot.bootstrap.chaos.tempo import CALM_S, Tempo
from htbot.bootstrap.install.outcome import NotReady


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
    tempo = Tempo(1 + max(item.blow for item in plan), lambda: True)
    tempo.next_blow(time.monotonic() - CALM_S, struck=True)  # it has been calm for long enough
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


def test_an_end_that_takes_long_holds_up_no_other_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    started: Future[None] = Future()
    monkeypatch.setitem(faults.MAKE, "kill_supervisord", lambda _to, _choices: lambda: started)
    site = Site()
    at_work = injector(site, planned("kill_supervisord", hold_s=0.0), planned("kill_desk"))
    at_work.step()
    at_work.step()
    supervisord, desk = at_work.happened
    assert (supervisord.over_at, at_work.done) == (None, False)
    assert desk.over_at is not None
    started.set_result(None)
    at_work.step()
    assert supervisord.over_at is not None
    assert at_work.done


def test_an_end_that_fails_fails_the_run_and_lifting_everything_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: Future[None] = Future()
    monkeypatch.setitem(faults.MAKE, "kill_supervisord", lambda _to, _choices: lambda: started)
    at_work = injector(Site(), planned("kill_supervisord", hold_s=60.0))
    at_work.step()
    threading.Timer(0.05, started.set_exception, [NotReady("the desk did not start")]).start()
    with pytest.raises(NotReady):
        at_work.lift_all()
