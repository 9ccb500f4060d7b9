"""Signs of life from the desk's event loop to its watchdog.

A desk that was frozen between its commit and its socket must never wake up and send: somebody else may have found its
order absent by then. So it is killed when its event loop has not turned for the lease, and a supervisor starts another.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys

from htbot.desk import watchdog

LEASE_S = 6.0
BEAT_S = 0.5
_log = logging.getLogger(__name__)


async def beat(lease_s: float = LEASE_S) -> None:
    """Keep a watchdog over this process, until cancelled; one that has died is replaced."""
    while True:
        try:
            await _beat(lease_s)
        except OSError as error:  # it has died, or cannot be started
            _log.critical("no watchdog, starting another: %s", error)
            await asyncio.sleep(BEAT_S)


async def _beat(lease_s: float) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-E", "-S", watchdog.__file__, str(os.getpid()), str(reading), str(lease_s)]
    process = subprocess.Popen(command, pass_fds=(reading,), stdin=subprocess.DEVNULL)  # noqa: ASYNC220 - starts once
    os.close(reading)
    try:
        while True:
            os.write(writing, b".")
            await asyncio.sleep(BEAT_S)
    finally:
        os.close(writing)  # the end of the pipe is the watchdog's end
        process.poll()
