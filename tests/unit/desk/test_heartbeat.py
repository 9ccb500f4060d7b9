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
from tests.support.waiting import PATIENCE_S, wait_for

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


@pytest.mark.fault(4)
def test_a_frozen_desk_is_killed(living: subprocess.Popen[str]) -> None:
    wait_for(lambda: watchdogs(living.pid))
    os.kill(living.pid, signal.SIGSTOP)
    assert living.wait(timeout=PATIENCE_S) == -signal.SIGKILL


def test_a_living_desk_outlives_its_lease_and_takes_its_watchdog_along(living: subprocess.Popen[str]) -> None:
    wait_for(lambda: watchdogs(living.pid))
    [watchdog] = watchdogs(living.pid)
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 1.5)
    assert living.poll() is None
    living.communicate("\n", timeout=PATIENCE_S)
    assert living.returncode == 0
    wait_for(lambda: not Path(f"/proc/{watchdog}").exists())


def test_a_watchdog_that_was_killed_is_replaced(living: subprocess.Popen[str]) -> None:
    wait_for(lambda: watchdogs(living.pid))
    [first] = watchdogs(living.pid)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: [pid for pid in watchdogs(living.pid) if pid != first])
    os.kill(living.pid, signal.SIGSTOP)
    assert living.wait(timeout=PATIENCE_S) == -signal.SIGKILL
