"""A second try is for few tests that start servers, and never for a proof."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.proofs.second_try import MOST, failed_in, why_not

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
