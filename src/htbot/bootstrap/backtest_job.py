"""`python -m htbot.bootstrap.backtest_job FOLDER`: one backtest in a process of its own, told through its folder.

`order.json` says what is wanted; `progress` has the share that is done; `outcome.json` and `report.html` are the end. A
lock on `lock` is held as long as the process lives, so that whoever looks can tell a job that works from one that died;
the file has its process id.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from htbot.domain.errors import HtbotError

NICENESS = 10
"""A desk that trades goes first."""


@dataclass(frozen=True, slots=True)
class BacktestOrder:
    """What is to be run. `data` are paths of files; days are sessions in New York; `cash` is USD."""

    strategy: str
    symbol: str
    data: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    cash: Decimal = Decimal(100_000)
    settings: dict[str, str] = field(default_factory=dict)

    def encode(self) -> dict[str, Any]:
        """Plain JSON values."""
        told = asdict(self)
        told |= {"start": _iso(self.start), "end": _iso(self.end), "cash": str(self.cash), "data": list(self.data)}
        return told

    @classmethod
    def decode(cls, told: dict[str, Any]) -> BacktestOrder:
        """The order back."""
        days = {name: date.fromisoformat(told[name]) if told[name] else None for name in ("start", "end")}
        return cls(**{**told, **days, "cash": Decimal(told["cash"]), "data": tuple(told["data"])})


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def write_whole(path: Path, text: str) -> None:
    """Nobody sees half of it."""
    made = path.with_suffix(f"{path.suffix}.new")
    made.write_text(text, encoding="utf-8")
    made.replace(path)


def run(folder: Path) -> int:
    """Run the order of a folder; the exit code."""
    with (folder / "lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        os.nice(NICENESS)
        order = BacktestOrder.decode(json.loads((folder / "order.json").read_text(encoding="utf-8"))["order"])
        try:
            outcome = {"ok": True, "summary": _backtest(order, folder)}
        except HtbotError as error:
            outcome = {"ok": False, "error": str(error)}
        write_whole(folder / "outcome.json", json.dumps(outcome))
    return 0 if outcome["ok"] else 1


def _backtest(order: BacktestOrder, folder: Path) -> list[tuple[str, str]]:
    """Run it, write the report; the figures that a person sees first."""
    from htbot.backtest.metrics import measure
    from htbot.backtest.report import summary_lines, write_report
    from htbot.bootstrap import research
    from htbot.bootstrap.research_options import BacktestOptions

    options = BacktestOptions(
        strategy=order.strategy,
        data=tuple(Path(path) for path in order.data),
        symbol=order.symbol,
        start=order.start,
        end=order.end,
        cash=order.cash,
        settings=order.settings,
    )
    result = research.backtest(options, lambda share: write_whole(folder / "progress", f"{share:.4f}"))
    metrics = measure(result)
    write_report(result, metrics, folder / "report.html")
    return [(name, value) for name, value in summary_lines(result, metrics) if name]


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
