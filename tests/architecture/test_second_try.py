"""A second try is for few tests that start servers, and never for a proof."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.proofs.second_try import MOST, SHORTEST_S, WINDING_UP_S, complaint, failed_in, left_until, why_not

SERVER = "tests/integration/desk/test_full_disk.py::test_one"


def test_a_late_server_is_tried_again() -> None:
    assert why_not([SERVER]) is None
    assert why_not([SERVER] * MOST) is None


@pytest.mark.parametrize(
    "failed",
    [
        [],
        [SERVER] * (MOST + 1),
        [SERVER, "tests/unit/risk/test_gate.py::test_one"],
        ["tests/property/test_ladder.py::test_one"],
        ["tests/e2e/test_chaos.py::test_one"],
        ["tests/e2e/test_failpoints.py::test_one"],
    ],
)
def test_nothing_else_is(failed: list[str]) -> None:
    assert why_not(failed) is not None


def test_the_failed_are_read_from_the_caches_of_the_runs(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text("def test_bad():\n    assert False\n\ndef test_good():\n    pass\n", encoding="utf-8")
    cache = tmp_path / "cache"
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, "-o", f"cache_dir={cache}", str(test)], capture_output=True, check=False)
    assert done.returncode == 1
    assert failed_in([cache, tmp_path / "none"]) == ["test_it.py::test_bad"]
    assert json.loads((cache / "v" / "cache" / "lastfailed").read_text()) == {"test_it.py::test_bad": True}


def test_a_second_try_ends_when_the_run_must(tmp_path: Path) -> None:
    runs, test = tmp_path / "runs", tmp_path / "test_it.py"
    lines = ("    runs.touch()", "    try:", "        Event().wait(300)", "    finally:", "        runs.unlink()")
    head = f"from pathlib import Path\nfrom threading import Event\n\nruns = Path({str(runs)!r})\n"
    test.write_text("\n".join((head, "def test_slow():", *lines, "")), encoding="utf-8")
    options = ("-q", "-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "no:cacheprovider")
    told = complaint(str(test), lambda: SHORTEST_S, *options)
    assert told == f"FAILED {test}: the second try did not end in 10 s, all that was left"
    assert not runs.exists(), "what it had started is stopped"


def test_without_time_there_is_none(tmp_path: Path) -> None:
    late = left_until(str(time.time() + WINDING_UP_S))
    assert complaint("tests/nothing", late) == "FAILED tests/nothing: no time is left for a second try"
    assert left_until(None)() is None
