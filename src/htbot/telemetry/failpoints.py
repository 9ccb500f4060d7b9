"""Places at which a test may kill or freeze the process: each edge of a send (FAULTS 3 and 4).

Nothing happens unless `arm` was given a file (HTBOT_FAILPOINTS). Each of its lines arms one place once:

    after_send kill
    before_commit stop
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

EDGES = (
    "before_claim",
    "after_claim",
    "before_journal",
    "after_journal",
    "before_send",
    "after_send",
    "after_reply",
    "before_commit",
    "after_commit",
    "during_reconcile",
)
CHANGES = ("before_change", "after_change")
"""The same around the change of an order that works, as of a stop whose trade has grown."""
_ACTS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_armed: list[Path] = []


def arm(path: Path) -> None:
    """From now on this file is looked at whenever an edge is reached."""
    _armed[:] = [path]


def reach(edge: str) -> None:
    """The process has come to this edge. An armed one is disarmed before it acts, so that it acts once."""
    if not _armed:
        return
    [path] = _armed
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        name, _, act = line.partition(" ")
        if name == edge:
            lines.remove(line)
            path.write_text("".join(f"{left}\n" for left in lines), encoding="ascii")
            os.kill(os.getpid(), _ACTS[act])
            return
