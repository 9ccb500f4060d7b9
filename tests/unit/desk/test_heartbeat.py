"""A frozen process is killed by its watchdog; one that lives is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LIVING = """
import asyncio, sys
from htbot.desk.heartbeat import beat

async def main():
    beating = asyncio.ensure_future(beat(1.0))
    print("up", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)

asyncio.run(main())
"""


@pytest.fixture
def living() -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", LIVING], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    yield process
    process.kill()
    process.communicate()


def watchdogs(pid: int) -> list[int]:
    """Children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(condition: object, patience_s: float = 10.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.fault(4)
def test_a_frozen_desk_is_killed(living: subprocess.Popen[str]) -> None:
    until(lambda: watchdogs(living.pid))
    os.kill(living.pid, signal.SIGSTOP)
    assert living.wait(timeout=10) == -signal.SIGKILL


def test_a_living_desk_outlives_its_lease_and_takes_its_watchdog_along(living: subprocess.Popen[str]) -> None:
    until(lambda: watchdogs(living.pid))
    [watchdog] = watchdogs(living.pid)
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 1.5)
    assert living.poll() is None
    living.communicate("\n", timeout=10)
    assert living.returncode == 0
    until(lambda: not Path(f"/proc/{watchdog}").exists())


def test_a_watchdog_that_was_killed_is_replaced(living: subprocess.Popen[str]) -> None:
    until(lambda: watchdogs(living.pid))
    [first] = watchdogs(living.pid)
    os.kill(first, signal.SIGKILL)
    until(lambda: [pid for pid in watchdogs(living.pid) if pid != first])
    os.kill(living.pid, signal.SIGSTOP)
    assert living.wait(timeout=10) == -signal.SIGKILL
