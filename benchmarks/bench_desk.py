"""Speed of the desk, each figure beside floors measured in the same run.

    .venv/bin/python benchmarks/bench_desk.py
    .venv/bin/python benchmarks/bench_desk.py --only guard --rounds 6 --trades 50

`guard`: a quote that stops a trade, from the socket to the close order on the socket, with the desk's durable promise
in between, while 2,000 ticks a second come; the floors are a bare ib_async script and a bare asyncio client that send
an order when they see the same tick, bare PostgreSQL commits, and bare appends forced to the disk. `flatten`: REST
close-all to the first cancel or close on the wire. `intents`: committed intents to acknowledged orders through the
paper gateway. `start`: the desk's start beside the bare imports of its third parties, and its memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from desk_flatten import flattening
from desk_guard import guarding
from desk_intents import sending
from desk_stage import Figure
from desk_start import starting

PARTS: dict[str, Callable[[argparse.Namespace], Coroutine[None, None, list[Figure]]]] = {
    "guard": guarding,
    "flatten": flattening,
    "intents": sending,
    "start": starting,
}


def main() -> int:
    """Measure and print; 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(PARTS), action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trades", type=int, default=50, help="stops, or flattens, of a round")
    parser.add_argument("--ticks", type=float, default=2000.0, help="ticks a second")
    parser.add_argument("--rate", type=float, default=200.0, help="intents a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the load of intents")
    chosen = parser.parse_args()
    held = True
    for part in chosen.only or PARTS:
        for figure in asyncio.run(PARTS[part](chosen)):
            print(figure.line(), flush=True)
            held = held and figure.held
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("command:", " ".join(sys.argv))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
