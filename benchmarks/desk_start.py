"""The desk's start beside the bare imports of its third parties, and what it holds in memory while it runs."""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import time

from desk_guard import Shots, market_of
from desk_stage import Figure, desk, desk_environ, hold, stage
from process_tree import pss_mb
from toy_tws import Session, serving

from htbot.bootstrap.install.stack import Stack
from htbot.persistence.engine import Database

MOST_RATIO, MOST_PSS_MB = 1.25, 120.0
SETTLED_S = 15.0
_RUNS = 5
_LIST = """
import sys
import htbot.desk.__main__
own = {"htbot"} | set(sys.stdlib_module_names)
print(" ".join(name for name, module in list(sys.modules.items())
      if name.partition(".")[0] not in own and getattr(getattr(module, "__spec__", None), "origin", None)))
"""
_IMPORT = "import sys, importlib\nfor name in sys.argv[1].split(): importlib.import_module(name)"


def _run(*arguments: str) -> tuple[float, float]:
    """Wall and CPU seconds of one Python from its start to its end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", *arguments], check=True, stdin=subprocess.DEVNULL)
    passed, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def starting(chosen: argparse.Namespace) -> list[Figure]:
    """Imports by turns with their floor; then a desk with one open trade, a while after its connection."""
    listed = subprocess.run([sys.executable, "-c", _LIST], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    floors, owns = [], []
    for _ in range(max(_RUNS, chosen.rounds)):
        floors.append(_run(_IMPORT, listed))
        owns.append(_run("import htbot.desk.__main__"))
    walls = [statistics.median(each[0] for each in runs) for runs in (floors, owns)]
    cpus = [statistics.median(each[1] for each in runs) for runs in (floors, owns)]
    with stage() as stack:
        connected_s, pss = await _running(stack)
    note = f"third parties {1000 * cpus[0]:.0f} ms, desk {1000 * cpus[1]:.0f} ms of CPU"
    wall = f"third parties {1000 * walls[0]:.0f} ms, desk {1000 * walls[1]:.0f} ms"
    return [
        Figure("imports of the desk to those of its third parties, CPU", cpus[1] / cpus[0], "x", MOST_RATIO, note=note),
        Figure("  the same by the clock", walls[1] / walls[0], "x", note=wall),
        Figure("  exec of the desk to its connection at the gateway", connected_s, "s"),
        Figure("PSS of the running desk", pss, "MB", MOST_PSS_MB),
    ]


async def _running(stack: Stack) -> tuple[float, float]:
    database = Database(stack.settings.database.url)
    trades, sessions = hold(database, [1]), list[Session]()
    database.close()
    async with serving(market_of(trades, Shots()), sessions) as port:
        began = time.perf_counter()
        with desk(stack, desk_environ(stack, port)) as running:
            async with asyncio.timeout(60):
                while not sessions:
                    await asyncio.sleep(0.002)
            connected_s = time.perf_counter() - began
            await asyncio.sleep(SETTLED_S)
            return connected_s, pss_mb(running.pid)
