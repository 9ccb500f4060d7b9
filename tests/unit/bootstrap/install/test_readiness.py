from __future__ import annotations

from htbot.bootstrap.install.readiness import programs
from htbot.bootstrap.install.supervisor import ProgramState


def test_what_has_just_begun_runs_and_what_does_not_is_named_apart() -> None:
    states = [ProgramState(name, state, 1, 1) for name, state in (("desk", "STARTING"), ("api", "RUNNING"))]
    assert programs(states) == "desk, api"
    assert programs([*states, ProgramState("worker", "FATAL", 0, 0)]) == "desk, api; not running: worker fatal"
