"""A small market and a strategy that writes down each of its runs, for tests of `htbot optimize`."""

from __future__ import annotations

import csv
import os
import random
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from htbot.domain.sessions import NEW_YORK

STRATEGY = '''
"""Buys every so many bars and sells after some; each run leaves a line beside this file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from htbot.domain.numeric import UNKNOWN
from htbot.strategies.bar_strategy import WAIT, Advice, BarConfig, BarInputs, BarStrategy
from htbot.strategies.config import Range, reject

STARTS = Path(__file__).with_name("starts.txt")


@dataclass(frozen=True, kw_only=True)
class TickTockConfig(BarConfig):
    every: Annotated[int, Range(1, 100)] = 7
    hold: Annotated[int, Range(1, 100)] = 3

    def check(self) -> None:
        super().check()
        if self.every == 99:
            raise reject("every", self.every, "anything but 99")


class TickTock(BarStrategy):
    name = "ticktock"
    Config = TickTockConfig

    def __init__(self, config):
        super().__init__(config)
        self.bars = 0

    @property
    def inputs(self):
        return BarInputs(30, 0, shorter_too=True)

    def on_bar(self, bar, held):
        if self.bars == 0:
            with STARTS.open("a") as file:
                file.write(f"{os.getpid()} {self.config.every} {self.config.hold}\\n")
        self.bars += 1
        if held.side:
            return Advice(0, held.bars >= self.config.hold, UNKNOWN, UNKNOWN, 1.0)
        if self.bars % self.config.every == 0:
            return Advice(1, False, UNKNOWN, UNKNOWN, 1.0)
        return WAIT
'''

FIRST = date(2022, 1, 3)


def write_market(path: Path, sessions: int, minutes: int = 30, seed: int = 5) -> Path:
    """Bars of SPY from Monday, 3 January 2022 on, weekends and the holidays of that winter left out."""
    chance = random.Random(seed)
    price = 100.0
    day = FIRST
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(("ts", "symbol", "open", "high", "low", "close", "volume"))
        while sessions:
            if day.weekday() < 5 and day not in {date(2022, 1, 17), date(2022, 2, 21)}:
                sessions -= 1
                opens = datetime.combine(day, time(9, 30), NEW_YORK).astimezone(UTC)
                for number in range(390 // minutes):
                    opened, price = price, round(price * (1 + chance.gauss(0, 0.004)), 2)
                    high, low = max(opened, price) + 0.05, min(opened, price) - 0.05
                    start = opens + timedelta(minutes=minutes * number)
                    writer.writerow((start.isoformat(), "SPY", opened, round(high, 2), round(low, 2), price, 1000))
            day += timedelta(days=1)
    return path


class SearchWorld:
    """A folder with a market, the strategy, and state; commands run in it see nothing of the machine's own."""

    def __init__(self, folder: Path, sessions: int = 18, seed: int = 5) -> None:
        self.var = folder / "var"
        self.strategies = folder / "strategies"
        self.strategies.mkdir(parents=True)
        (self.strategies / "ticktock.py").write_text(STRATEGY, encoding="utf-8")
        self.data = write_market(folder / "market.csv", sessions, seed=seed)
        self.folder = folder

    @property
    def environ(self) -> dict[str, str]:
        """Of a command."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        return kept | {
            "HTBOT_ENV_FILE": os.devnull,
            "HTBOT_VAR_DIR": str(self.var),
            "HTBOT_STRATEGY_PATH": str(self.strategies),
        }

    def command(self, *more: str) -> list[str]:
        """`htbot optimize` of the strategy over the market, in the event loop."""
        head = [sys.executable, "-m", "htbot", "optimize", "ticktock", "--data", str(self.data), "--symbol", "SPY"]
        return [*head, "--engine", "events", *more]

    @property
    def starts(self) -> list[str]:
        """One line per run, whatever came of it."""
        path = self.strategies / "starts.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
