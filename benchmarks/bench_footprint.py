"""A paced instance at speed 1 on the synthetic market: CPU share of one core and PSS of the whole process tree.

    .venv/bin/python benchmarks/bench_footprint.py --session open --after 300 --seconds 300
    .venv/bin/python benchmarks/bench_footprint.py --session closed --after 300 --seconds 300

The instance has a folder, ports and a token of its own; it is stopped at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from process_tree import cpu_by_program, memory_by_program, supervisor_of, table

from htbot.bootstrap.install.stack import Stack
from htbot.bootstrap.isolation import isolated_environ
from htbot.settings import project_root

MOST_PSS_MB = 800.0
MOST_CPU_PERCENT = {"open": 15.0, "closed": 5.0}
# A Friday; the closed hour lies between sessions.
START = {"open": "2022-08-26T14:30:00+00:00", "closed": "2022-08-26T10:00:00+00:00"}


def environ_of(folder: Path, session: str) -> dict[str, str]:
    """The environment of a stranger's machine, without the project's own .env."""
    return isolated_environ(os.environ, folder) | {"PAPER_SPEED": "1", "PAPER_START": START[session]}


def main() -> int:
    """Measure and print; 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--session", choices=sorted(START), default="open")
    parser.add_argument("--after", type=float, default=300.0, help="seconds after READY before measuring")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long is measured")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="htbot-bench-"))
    stack = Stack(project_root(), environ_of(folder, chosen.session))
    try:
        stack.start()
        time.sleep(chosen.after)
        root = supervisor_of(stack.instance)
        if root is None:
            print("the instance has died: see", stack.settings.paths.log)
            return 1
        before, began = cpu_by_program(root), time.monotonic()
        time.sleep(chosen.seconds)
        after, passed_s = cpu_by_program(root), time.monotonic() - began
        memory = memory_by_program(root)
    finally:
        stack.stop_all()
    shutil.rmtree(folder, ignore_errors=True)
    shares = {name: 100 * (used - before.get(name, 0.0)) / passed_s for name, used in after.items()}
    cpu, pss = sum(shares.values()), sum(memory.values())
    limit = MOST_CPU_PERCENT[chosen.session]
    print(f"market {chosen.session}, {passed_s:.0f} s from {chosen.after:.0f} s after READY; share of one core:")
    print(table(shares, "%"))
    print("PSS:")
    print(table(memory, "MB"))
    print(f"CPU {cpu:.2f} %, limit {limit:.0f} %, ratio {cpu / limit:.2f}")
    print(f"PSS {pss:.0f} MB, limit {MOST_PSS_MB:.0f} MB, ratio {pss / MOST_PSS_MB:.2f}")
    print("command:", " ".join(sys.argv))
    return 0 if cpu <= limit and pss <= MOST_PSS_MB else 1


if __name__ == "__main__":
    sys.exit(main())
