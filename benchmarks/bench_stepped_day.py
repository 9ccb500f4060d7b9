"""A stepped trading day through the whole stack: wall time against its limit, CPU seconds by program, the same twice.

    .venv/bin/python benchmarks/bench_stepped_day.py --data ../shared/data/market/us_equities_5m_2022.parquet \\
        --symbol SPY --date 2022-08-26
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from process_tree import CpuWatch, table

from htbot.bootstrap.demo import DemoOptions, run

LIMIT_S = {True: 120.0, False: 60.0}


def main() -> int:
    """Play the day, print the figures; 1 when it took longer than its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbol", default="SPX")
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--date", type=date.fromisoformat)
    parser.add_argument("--no-trading", action="store_true", help="switch the strategy off: bars flow, nothing trades")
    parser.add_argument("--days", type=int, default=1, help="play it this often and compare the journals")
    chosen = parser.parse_args()
    environ = dict(os.environ) | ({"HTBOT_ENABLED": "false"} if chosen.no_trading else {})
    digests, slowest = set(), 0.0
    for _ in range(chosen.days):
        folder = Path(tempfile.mkdtemp(prefix="htbot-bench-"))
        options = DemoOptions(
            data=tuple(chosen.data), day=chosen.date, symbol=chosen.symbol, folder=folder, environ=environ
        )
        began = time.monotonic()
        with CpuWatch(folder) as watch:
            result = run(options)
        wall_s = time.monotonic() - began
        slowest = max(slowest, wall_s)
        digests.add(hashlib.sha256(result.journal.encode()).hexdigest())
        trades = len(result.summary["trades"])
        print(f"{result.summary['date']} {chosen.symbol}, {trades} trades: {wall_s:.1f} s wall; CPU by program:")
        print(table(watch.by_program(), "s"))
        shutil.rmtree(folder, ignore_errors=True)
    limit_s = LIMIT_S[not chosen.no_trading]
    print(f"wall {slowest:.1f} s, limit {limit_s:.0f} s, ratio {slowest / limit_s:.2f}")
    print(f"journals: {'identical' if len(digests) == 1 else 'DIFFERENT'} ({', '.join(sorted(digests))[:150]})")
    print("command:", " ".join(sys.argv))
    return 0 if slowest <= limit_s and len(digests) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
