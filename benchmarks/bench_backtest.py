"""Speed of the backtest, beside other people's backtesters and bare loops, the same rule over the same bars in one run.

    .venv/bin/python benchmarks/bench_backtest.py
    .venv/bin/python benchmarks/bench_backtest.py --peers /tmp/peers            # makes an environment for each
    .venv/bin/python benchmarks/bench_backtest.py --peers /tmp/peers --only vectorbt --only backtesting

The rule is `ma_crossover` (5 and 20 closes, long or flat, one unit at the close). Ours runs it with limits, fees and
books on, once compiled and once in the event loop, from the same source, and both must make the same deals. Each runs
in a process of its own; the best of `--rounds` counts; peak memory is the process's. `cold start` is the command line,
from nothing to the printed result of a small file, with the compiled code on disk.

Packages whose runs take minutes get fewer bars (`--slow-bars`), and are told in bars a second all the same.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from backtest_peers import peak_mb

HERE = Path(__file__).resolve()
ROOT = HERE.parents[1]
FAST, SLOW = 5, 20
PACKAGES: dict[str, tuple[str, ...]] = {
    "vectorbt": ("vectorbt",),
    "vectorbt_rust": ("vectorbt[rust]",),
    "backtesting": ("backtesting",),
    "bt": ("bt",),
    "backtrader": ("backtrader", "pandas"),
    "nautilus_trader": ("nautilus_trader",),
    "vnpy": ("vnpy_ctastrategy",),
    "pybroker": ("lib-pybroker",),
    "zipline": ("zipline-reloaded",),
}
SLOW_ONES = {"bt", "backtrader", "nautilus_trader", "pybroker", "zipline"}
LEAST_COMPILED, LEAST_EVENTS, COLD_START_S, PEAK_MB = 20e6, 400e3, 1.5, 400.0


def main() -> int:
    """Measure and print; 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--slow-bars", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, help="folder of their environments, made when missing")
    parser.add_argument("--only", action="append", choices=sorted(PACKAGES))
    parser.add_argument("--ours", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ours:
        print(json.dumps(ours(*chosen.ours)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        held = compare(chosen, Path(folder))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; command: {' '.join(sys.argv)}")
    return 0 if held else 1


def compare(chosen: argparse.Namespace, folder: Path) -> bool:
    """Run all of them and print a table."""
    whole, part = write_bars(folder / "bars.npz", chosen.bars), write_bars(folder / "some.npz", chosen.slow_bars)
    rows: dict[str, dict[str, Any]] = {}
    for way in ("compiled", "events"):
        command = [sys.executable, str(HERE), "--ours", way, str(whole), str(folder / "code")]
        rows[f"htbot {way}"] = best_of(chosen.rounds + (way == "compiled"), command)
    for name in ("bare_python", "bare_compiled"):
        rows[name] = best_of(chosen.rounds, peer_command(Path(sys.executable), name, whole))
    for name in (chosen.only or PACKAGES) if chosen.peers else ():
        python = environment(chosen.peers / name, PACKAGES[name])
        bars, rounds = (part, 1) if name in SLOW_ONES else (whole, chosen.rounds)
        rows[name] = best_of(rounds, peer_command(python, name, bars))
    floor = rows["bare_compiled"]["bars"] / rows["bare_compiled"]["seconds"]
    for name, row in sorted(rows.items(), key=lambda item: -item[1].get("bars", 0) / item[1].get("seconds", 1)):
        print(line(name, row, floor))
    return judge(rows, cold_start(folder))


def line(name: str, row: dict[str, Any], floor: float) -> str:
    """One row of the table."""
    if "failed" in row:
        return f"{name:<16} failed: {row['failed']}"
    rate = row["bars"] / row["seconds"]
    return (
        f"{name:<16} {rate:>13,.0f} bars/s  {rate / floor:>8.4f} of the bare compiled loop  {row['peak_mb']:>6.0f} MB"
        f"  {row['trips']:>7,} round trips in {row['bars']:,} bars"
    )


def judge(rows: dict[str, dict[str, Any]], cold_s: float) -> bool:
    """Print what is bounded and say whether it holds."""
    compiled, events = rows["htbot compiled"], rows["htbot events"]
    checks = [
        ("compiled, bars/s", compiled["bars"] / compiled["seconds"], LEAST_COMPILED, True),
        ("events, bars/s", events["bars"] / events["seconds"], LEAST_EVENTS, True),
        ("cold start, s", cold_s, COLD_START_S, False),
        ("peak memory, MB", max(compiled["peak_mb"], events["peak_mb"]), PEAK_MB, False),
    ]
    held = compiled["deals"] == events["deals"]
    print(f"deals of both engines: {'the same' if held else 'DIFFERENT'}")
    for name, value, bound, at_least in checks:
        kept = value >= bound if at_least else value <= bound
        held = held and kept
        word = "at least" if at_least else "at most"
        print(f"{name:<18} {value:>14,.2f}  ({word} {bound:,.4g}: {'held' if kept else 'NOT HELD'})")
    return held


def best_of(rounds: int, command: list[str]) -> dict[str, Any]:
    """The fastest of several processes."""
    answers = []
    for _ in range(rounds):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"failed": (done.stderr.strip().splitlines() or ["no output"])[-1]}
        answers.append(json.loads(done.stdout.splitlines()[-1]))
    return min(answers, key=lambda answer: float(answer["seconds"]))


def peer_command(python: Path, name: str, bars: Path) -> list[str]:
    """How a peer is run."""
    return [str(python), str(HERE.with_name("backtest_peers.py")), name, str(bars), str(FAST), str(SLOW)]


def environment(folder: Path, packages: tuple[str, ...]) -> Path:
    """The Python of a peer's environment."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def write_bars(path: Path, count: int) -> Path:
    """A random walk in cents as five-minute bars, with the sessions they lie in."""
    from htbot.adapters.calendar import load_sessions
    from htbot.backtest.tape import make_tape
    from htbot.domain.recorded import BarColumns

    table = load_sessions(date(1991, 1, 1), date(2099, 12, 31), ROOT / "var" / "cache")
    starts: list[int] = []
    for session in table.all():
        starts += range(int(session.opens.timestamp()), int(session.closes.timestamp()), 300)
        if len(starts) >= count:
            break
    start_s = np.array(starts[:count], np.int64)
    draw = np.random.default_rng(5)
    close = np.round(400 * np.exp(np.cumsum(draw.normal(0, 0.0008, count)).clip(-3, 3)), 2)
    opens = np.concatenate(([400.0], close[:-1]))
    wick = np.round(np.abs(draw.normal(0, 0.1, (2, count))), 2)
    high, low = np.maximum(opens, close) + wick[0], np.minimum(opens, close) - wick[1]
    volume = np.full(count, 1000.0)
    columns = BarColumns(300, start_s, opens, high, low, close, volume, "walk")  # type: ignore[arg-type]
    tape = make_tape("SYN", columns, table)
    np.savez(
        path,
        start_s=start_s,
        open=opens,
        high=high,
        low=low,
        close=close,
        volume=volume,
        tape=tape.bars,
        allow_pickle=True,
    )
    return path


def ours(way: str, path: str, folder: str) -> dict[str, Any]:
    """One run of ours in this process."""
    from htbot.backtest.bar_run import run_bars
    from htbot.backtest.bars import set_up
    from htbot.backtest.request import BacktestRequest
    from htbot.backtest.tape import Tape
    from htbot.strategies.ma_crossover import MaCrossover, MaCrossoverConfig

    with np.load(path) as stored:
        tape = Tape("SYN", 300, stored["tape"])
    limits = {"leverage": "100", "daily_loss_usd": "50000", "order_quantity": "1000"}
    request = BacktestRequest(Path(folder), fill="close", limits=limits)
    config = MaCrossoverConfig(
        quantity=1, short_window=FAST, long_window=SLOW, entry_start=time_of_day(0), entry_end=time_of_day(23, 59)
    )
    run_bars(set_up(request, MaCrossover(config)), Tape("SYN", 300, tape.bars[:100]), Path(folder), way)  # type: ignore[arg-type]
    loop = set_up(request, MaCrossover(config))
    began = time.perf_counter()
    run = run_bars(loop, tape, Path(folder), way)  # type: ignore[arg-type]
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "trips": len(run.deals),
        "bars": len(tape),
        "peak_mb": peak_mb(),
        "deals": sha256(repr(run.deals.tolist()).encode()).hexdigest(),
    }


def cold_start(folder: Path) -> float:
    """Seconds of the command line over a small file, the better of three after one that compiles."""
    path = folder / "small.csv"
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("symbol", "ts", "open", "high", "low", "close", "volume"))
        for number in range(78):
            at = datetime(2022, 1, 3, 14, 30, tzinfo=UTC).timestamp() + 300 * number
            price = 100 + number % 13
            moment = datetime.fromtimestamp(at, UTC).isoformat()
            writer.writerow(("SYN", moment, price, price, price, price, 1000))
    command = [
        sys.executable,
        "-m",
        "htbot",
        "backtest",
        "ma_crossover",
        "--data",
        str(path),
        "--symbol",
        "SYN",
        "--json",
    ]
    environ = os.environ | {"HTBOT_VAR_DIR": str(folder / "var"), "HTBOT_ENV_FILE": os.devnull}
    took = []
    for _ in range(4):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environ, cwd=ROOT)
        took.append(time.perf_counter() - began)
    return min(took[1:])


if __name__ == "__main__":
    sys.exit(main())
