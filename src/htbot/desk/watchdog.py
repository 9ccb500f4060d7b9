"""`python watchdog.py PID PIPE LEASE_S`: kills a frozen desk before anybody could take its place (FAULTS 4).

A process of its own, with next to nothing in it. It ends with the desk. See `htbot.desk.heartbeat`.
"""

from __future__ import annotations

import os
import select
import signal
import sys


def watch(pid: int, pipe: int, lease_s: float) -> None:
    """Kill the process when the pipe stays silent for the lease; return when the pipe is closed."""
    while True:
        readable, _, _ = select.select([pipe], [], [], lease_s)
        if not readable:
            os.kill(pid, signal.SIGKILL)
            return
        if not os.read(pipe, 4096):
            return


if __name__ == "__main__":
    watch(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
