from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.install.processes import (
    MARK,
    belongs_to,
    is_alive,
    parent_of,
    postmaster_of,
    processes_of,
    read_pid,
    terminate,
    wait_until,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")

SLEEP = [sys.executable, "-c", "import sys, time; print(flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)",
]


def launch(command: list[str], instance: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, env={**os.environ, MARK: str(instance)}, stdout=subprocess.PIPE, cwd=instance)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with launch(SLEEP, tmp_path) as process:
        yield process
        process.kill()


def test_processes_are_found_by_their_mark_only(marked: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert processes_of(tmp_path) == [marked.pid]
    assert belongs_to(marked.pid, tmp_path)
    assert parent_of(marked.pid) == os.getpid()
    assert processes_of(tmp_path / "other") == []
    assert not belongs_to(marked.pid, tmp_path.parent)


def test_a_zombie_is_not_alive(tmp_path: Path) -> None:
    with launch(SLEEP, tmp_path) as process:
        assert is_alive(process.pid)
        process.kill()
        assert wait_until(lambda: not is_alive(process.pid), PATIENCE_S)
        assert processes_of(tmp_path) == []


def test_who_does_not_listen_is_killed(tmp_path: Path) -> None:
    with launch(STUBBORN, tmp_path) as process:
        terminate([process.pid], patience_s=0.1)
        assert process.wait(timeout=PATIENCE_S) == -9


def test_terminating_the_dead_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    terminate([process.pid], patience_s=0.1)


@pytest.mark.parametrize(("text", "pid"), [("123\n/data\n", 123), ("", None), ("x", None), ("0", None), ("-5", None)])
def test_pid_files(tmp_path: Path, text: str, pid: int | None) -> None:
    (tmp_path / "x.pid").write_text(text)
    assert read_pid(tmp_path / "x.pid") == pid
    assert read_pid(tmp_path / "missing.pid") is None


def test_a_reused_pid_is_no_postmaster(marked: subprocess.Popen[bytes], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "postmaster.pid").write_text(f"{marked.pid}\n")
    assert postmaster_of(data) is None
    (tmp_path / "postmaster.pid").write_text(f"{marked.pid}\n")
    assert postmaster_of(tmp_path) == marked.pid
