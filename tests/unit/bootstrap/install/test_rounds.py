from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from htbot.alerts.message import Message
from htbot.bootstrap.install.alarm import listen
from htbot.bootstrap.install.rounds import QUIET_S, Rounds, Trouble, full_disks
from htbot.domain.alerts import Severity
from htbot.settings import load_settings


@dataclass
class Scene:
    """What there is to see, the time, and a person who may be out of reach."""

    kinds: list[str] = field(default_factory=list)
    now_s: float = 0.0
    reachable: bool = True
    told: list[str] = field(default_factory=list)

    def sight(self) -> Iterable[Trouble]:
        return [Trouble(kind, Severity.WARNING, f"{kind} is in trouble", "why") for kind in self.kinds]

    def tell(self, message: Message) -> bool:
        if self.reachable:
            self.told.append(message.kind)
        return self.reachable


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def rounds(scene: Scene) -> Rounds:
    return Rounds([scene.sight], lambda: scene.now_s)


def test_a_trouble_is_told_once_however_long_it_lasts(scene: Scene, rounds: Rounds) -> None:
    scene.kinds = ["disk"]
    for _ in range(100):
        assert [trouble.kind for trouble in rounds.look(scene.tell)] == ["disk"]
        scene.now_s += 60
    assert scene.told == ["trouble.disk"]


def test_one_that_comes_again_is_told_again_but_not_within_a_quarter_of_an_hour(scene: Scene, rounds: Rounds) -> None:
    for here in (True, False, True, True):
        scene.kinds = ["redis"] if here else []
        rounds.look(scene.tell)
        scene.now_s += 60
    assert scene.told == ["trouble.redis"]
    scene.now_s = QUIET_S
    rounds.look(scene.tell)
    assert scene.told == ["trouble.redis"] * 2


def test_what_nobody_could_be_told_of_is_told_later(scene: Scene, rounds: Rounds) -> None:
    scene.kinds, scene.reachable = ["disk"], False
    rounds.look(scene.tell)
    scene.reachable = True
    rounds.look(scene.tell)
    assert scene.told == ["trouble.disk"]


def test_a_disk_is_told_once_with_what_is_left(tmp_path: Path) -> None:
    [found] = full_disks([tmp_path, tmp_path, tmp_path / "not there"], 10**9)
    assert str(tmp_path) in found.detail
    assert list(full_disks([tmp_path], 0)) == []


def test_supervisord_says_when_a_minute_is_over(tmp_path: Path) -> None:
    tick = "ver:3.0 server:htbot serial:2 pool:alarm poolserial:2 eventname:TICK_60 len:15\nwhen:1201063880"
    said, rounds = io.StringIO(), []
    listen(load_settings(tmp_path, {}), lambda _message: True, io.StringIO(tick * 2), said, lambda: rounds.append(1))
    assert len(rounds) == 2
    assert said.getvalue() == "READY\nRESULT 2\nOK" * 2 + "READY\n"
