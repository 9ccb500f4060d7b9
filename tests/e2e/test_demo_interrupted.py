"""`htbot demo` that is told to end in the middle of its day: everything that it started is stopped, nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from htbot.settings import project_root

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo at a speed at which its day takes hours."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    running = subprocess.Popen(
        [sys.executable, "-m", "htbot", "demo", "--symbol", "SPY", "--speed", "1"],
        env=kept | {"TMPDIR": str(tmp_path)}, cwd=project_root(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def test_a_demo_that_is_ended_stops_its_stack(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    wait_for(lambda: living_in(tmp_path, "htbot.desk"), demo, "its desk runs")

    demo.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    demo.send_signal(signal.SIGTERM)  # an impatient one must not cut the stopping short
    out, err = demo.communicate(timeout=180)

    assert (demo.returncode, out, err) == (130, "", "htbot: interrupted\n")
    assert living_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def living_in(folder: Path, words: str = "") -> list[int]:
    """Processes whose temporary folder this is, with these words in their command line."""
    mark = f"TMPDIR={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0") and words.encode() in (
                entry / "cmdline"
            ).read_bytes().replace(b"\0", b" "):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], object], running: subprocess.Popen[str], what: str) -> None:
    deadline = time.monotonic() + 150
    while not condition():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)
