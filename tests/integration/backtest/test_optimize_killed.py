"""A search that is killed with all its processes goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.search import SearchWorld
from tests.support.waiting import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

JOBS = 2
FOLDS = 5
GRID = ("--grid", "every=2:13:1", "--grid", "hold=1:5:1", "--folds", str(FOLDS), "--json")
WIDE = ("--grid", "every=2:60:1", "--grid", "hold=1:40:1", "--jobs", str(JOBS), "--json")
TRIALS = 12 * 5 * FOLDS
SHOWN = 5 * FOLDS
CHOSEN = FOLDS
AHEAD = 2 * JOBS


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SearchWorld:
    return SearchWorld(tmp_path_factory.mktemp("search"))


def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(world: SearchWorld, tmp_path: Path) -> None:
    undisturbed = ended(world, "--jobs", "1", "--study", str(tmp_path / "whole.jsonl"))
    starts = len(world.starts)
    assert starts == TRIALS + SHOWN + CHOSEN

    study = tmp_path / "killed.jsonl"
    chance = random.Random(11)
    kills = 0
    while lines_of(study) < TRIALS // 2 and kills < 5:
        with begun(world, *GRID, "--jobs", str(JOBS), "--study", str(study)) as run:
            wait_for(run, study, lines_of(study) + chance.randint(20, 60))
            os.killpg(run.pid, signal.SIGKILL)
        kills += 1
    killed = ended(world, "--jobs", str(JOBS), "--study", str(study))

    assert kills >= 2
    ids = Counter(json.loads(line)["id"] for line in study.read_text().splitlines()[1:])
    assert len(ids) == TRIALS + SHOWN
    assert set(ids.values()) == {1}, "a finished trial ran again"
    repeated = len(world.starts) - 2 * starts
    assert 0 <= repeated <= kills * AHEAD, "more was lost than what was being run"
    assert killed["trials"] == undisturbed["trials"] == TRIALS
    assert 0 < killed["ran"] < TRIALS
    assert same(killed) == same(undisturbed)


def test_an_interrupt_ends_it_in_order_and_says_how_to_go_on(world: SearchWorld, tmp_path: Path) -> None:
    study = tmp_path / "study.jsonl"
    with begun(world, *WIDE, "--study", str(study)) as run:
        wait_for(run, study, 10)
        os.killpg(run.pid, signal.SIGINT)
        _, told = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    lines = told.splitlines()
    kept = lines_of(study)
    assert lines[-1] == "htbot: interrupted"
    assert lines[-2].startswith(f"htbot: {kept} finished trials are in {study}; the same command goes on: ")
    assert "Traceback" not in told
    assert len(lines) == 2
    assert study.read_bytes().endswith(b"\n")


def test_its_processes_end_when_it_alone_is_killed(world: SearchWorld, tmp_path: Path) -> None:
    study = tmp_path / "study.jsonl"
    with begun(world, *WIDE, "--study", str(study)) as run:
        wait_for(run, study, 10)
        children = psutil.Process(run.pid).children(recursive=True)
        assert len(children) >= JOBS
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
        assert alive == []


@contextmanager
def begun(world: SearchWorld, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A search in a process group of its own, all of which is gone at the end."""
    run = subprocess.Popen(
        world.command(*more),
        env=world.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with run:
        try:
            yield run
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def wait_for(run: subprocess.Popen[str], study: Path, lines: int) -> None:
    deadline = time.monotonic() + 120
    while lines_of(study) < lines:
        assert run.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ended(world: SearchWorld, *more: str) -> dict[str, Any]:
    done = subprocess.run(
        world.command(*GRID, *more), env=world.environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def lines_of(study: Path) -> int:
    """Finished trials, the header left out."""
    return max(0, study.read_bytes().count(b"\n") - 1) if study.exists() else 0


def same(told: dict[str, Any]) -> dict[str, Any]:
    """Everything but what a clock or a name made."""
    result = {name: value for name, value in told["result"].items() if name != "wall_s"}
    return {name: value for name, value in told.items() if name not in {"study", "wall_s", "ran"}} | {"result": result}
