"""Random days of strategies on options, or random sessions of strategies on shares, through stack and backtest.

    python -m tests.proofs.random_days --kind options --days 10 --seed 1
    python -m tests.proofs.random_days --kind shares --days 10 --seed 1 --kill desk

World, symbols, settings and what a fill may take of a quote are drawn from the seed, day after day: a longer run begins
with the days of a shorter one. On shares a day is two or three sessions, most with a half day or a change of the clocks
among them, and strategies hold over the nights. `--kill` has a program die by kill -9, once in the first session, once
after its night. Ends with 1 at the first day that differs, which `--first` plays again.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

from htbot.bootstrap import demo
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.install.processes import processes_of
from htbot.bootstrap.install.usage import program_of
from htbot.bootstrap.parity import ParityReport, against_backtest
from htbot.bootstrap.parity_cast import SYNTHETIC_SYMBOLS, CastWanted, cast_of
from htbot.domain.errors import ConfigurationError

ON_OPTIONS = ("spx_breakout", "strangle_momentum", "vertical_spread")
UNDERLYINGS = ("SPX", "SPY", "QQQ")
ON_SHARES = ("level_based", "ma_crossover", "momentum", "plain_breakout", "range_bound")
HALF_DAYS = (date(2025, 11, 28), date(2026, 11, 27), date(2026, 12, 24))
FIRST, WEEKS = date(2026, 1, 5), 44
SESSIONS = (
    (date(2025, 7, 3), 2),
    (date(2025, 11, 28), 2),
    (date(2025, 12, 24), 2),
    (date(2026, 11, 25), 2),
    (date(2026, 11, 27), 2),
    (date(2026, 3, 6), 2),  # New York changes its clocks in the weekend after it, and after the next one
    (date(2026, 10, 30), 2),
    (date(2025, 12, 23), 3),
)
"""First day and number of sessions: half days, and weekends in which the clocks change."""
SHORT = {*HALF_DAYS, date(2025, 7, 3), date(2025, 12, 24)}
PROGRAMS = ("desk", "worker", "paper")
"""As supervisord calls them; the last one is the gateway."""


@dataclass(frozen=True, slots=True)
class Day:
    """What is played, by whom, in which world, how the gateway fills, and which program dies on the way."""

    wanted: CastWanted
    date: date
    seed: int
    fills: Mapping[str, str]
    days: int = 1
    begins: time | None = None
    ends: time | None = None
    kill: str | None = None

    def play(self) -> tuple[ParityReport, str]:
        """Through the stack, then through the backtest; what came of it, and how the stack's trades ended."""
        cast = cast_of(self.wanted, (), None, strategies())
        settings = {**cast.settings, **self.fills}
        with tempfile.TemporaryDirectory(prefix="htbot-random-") as place:
            options = demo.DemoOptions(
                day=self.date,
                symbol=cast.own,
                seed=self.seed,
                folder=Path(place) / "var",
                instances=cast.instances,
                settings=settings,
                days=self.days,
                begins=self.begins,
                ends=self.ends,
            )
            deaths = Deaths(Path(place) / "var", self.kill)
            played = demo.run(options, deaths.progress)
            ends = Counter(
                f"{row.of.partition('.')[0]} {row.fields['exit_reason']}" for row in played.record.rows.trades
            )
            parts = sum(one.in_part for one in played.record.rows.intents)
            told = [f"{count} {end}" for end, count in sorted(ends.items())]
            told += [f"{parts} parts"] * bool(parts) + [f"killed {', '.join(deaths.told)}"] * bool(deaths.told)
            return against_backtest(played, cast.names), ", ".join(told)


@dataclass(slots=True)
class Deaths:
    """Kills a program an hour after the beginning, and as soon as the night after it is seen to be over."""

    folder: Path
    program: str | None
    told: list[str] = field(default_factory=list)
    begun: datetime | None = None

    def progress(self, at: datetime, _fraction: float) -> None:
        """Called with the market time, about five times a second."""
        self.begun = self.begun or at
        due = timedelta(hours=1) if not self.told else timedelta(hours=14)
        if self.program is None or len(self.told) == 2 or at - self.begun < due:
            return
        for pid in processes_of(self.folder):
            if program_of(pid) == self.program:
                os.kill(pid, signal.SIGKILL)
        self.told.append(f"{self.program} at {at:%m-%d %H:%M:%S}")


def fills(random: Random) -> Mapping[str, str]:
    """How the gateway fills."""
    return {"PAPER_TOUCH_SHARE": random.choice(("1", "0.1")), "PAPER_SLIPPAGE_TICKS": random.choice(("0", "1"))}


def day_of_options(random: Random) -> Day:
    """A day; every other one is a half day, which is played in half the time."""
    day = random.choice(HALF_DAYS)
    if random.random() < 0.5:
        day = FIRST + timedelta(weeks=random.randrange(WEEKS), days=random.choice((1, 2)))
    settings = {
        "strangle_momentum": strangle(random, "13:00" if day in HALF_DAYS else "16:00"),
        "vertical_spread": {
            "sma_short": str(random.choice((1, 2, 5))),
            "sma_long": str(random.choice((6, 10))),
            "short_delta": f"0.{random.randrange(20, 45)}",
            "long_delta": f"0.{random.randrange(5, 16):02d}",
            "delta_tolerance": "0.15",
            "strikes_out": str(random.choice((12, 17))),
            "quantity": str(random.choice((1, 3))),
            "profit_target_usd": str(random.choice((5, 20))),
            "stop_loss_usd": str(random.choice((15, 60))),
            "pnl_basis": random.choice(("mid", "natural")),
        },
    }
    symbols = random.sample(UNDERLYINGS, len(UNDERLYINGS))
    return Day(CastWanted(ON_OPTIONS, symbols, _named(settings)), day, random.randrange(1_000_000), fills(random))


def strangle(random: Random, closes: str) -> Mapping[str, str]:
    """Near options that run and turn, far ones that nobody bids for at their time."""
    late = int(closes[:2]) - random.choice((1, 2))
    chosen = {
        "call_index": str(random.randrange(13)),
        "put_index": str(random.randrange(13)),
        "max_premium": random.choice(("0.50", "2", "20")),
        "momentum_threshold": random.choice(("1.01", "1.2", "2")),
        "wick_ratio": random.choice(("0.5", "2")),
        "bid_bar_minutes": random.choice(("5", "10", "15", "30")),
        "entry_end": "12:00",
        "exit_time": f"{late}:{random.choice(('05', '20', '30'))}",
        "quantity": random.choice(("1", "4")),
        "pnl_basis": random.choice(("mid", "natural")),
    }
    if random.random() < 0.5:
        chosen |= {"stop_loss_usd": random.choice(("15", "80")), "profit_target_usd": random.choice(("20", "100"))}
    return chosen


def day_of_shares(random: Random) -> Day:
    """Sessions with nights between them; strategies that trade often, and hold what they have not left."""
    day, days = random.choice(SESSIONS)
    names = random.sample(ON_SHARES, random.choice((2, 3, 5)))
    settings = {name: shares(random, name) for name in names}
    symbols = random.sample([symbol for symbol in SYNTHETIC_SYMBOLS if symbol != "SPX"], len(names))
    wanted = CastWanted(names, symbols, _named(settings), overnight=True)
    closes = 13 if day in SHORT else 16
    begins, ends = time(closes - random.choice((2, 3)), random.choice((0, 10))), time(random.choice((10, 11)))
    return Day(wanted, day, random.randrange(1_000_000), fills(random), days, begins, ends)


def shares(random: Random, name: str) -> Mapping[str, str]:
    """Settings of one: with and without exit time, days, levels, stop and target in dollars or by the strategy."""
    chosen = {"quantity": str(random.choice((4, 7, 12))), "allow_short": random.choice(("true", "false"))}
    chosen["point_value"] = "1"
    chosen |= _TRADES_OFTEN[name](random)
    chosen["max_entries_per_day"] = str(random.choice((1, 2, 3)))
    if name == "plain_breakout" or random.random() < 0.15:
        chosen["exit_time"] = random.choice(("12:30", "15:30"))
    if random.random() < 0.4:
        chosen["max_hold_days"] = random.choice(("1", "2"))
    if random.random() < 0.5:
        chosen |= {"stop_loss_usd": random.choice(("5", "30", "200"))}
    if random.random() < 0.4:
        chosen |= {"profit_target_usd": random.choice(("5", "20", "100"))}
    if random.random() < 0.7:
        first = random.choice((0.0005, 0.001, 0.003))
        chosen |= {
            "profit_levels": "true",
            "profit_level_1": f"{first}",
            "profit_level_2": f"{first * random.choice((2, 4)):.4f}",
            "profit_level_3": f"{first * random.choice((6, 20)):.4f}",
            "profit_share_1": random.choice(("0.1", "0.25", "0.6")),
            "profit_share_2": random.choice(("0.2", "0.5")),
        }
    return chosen


_TRADES_OFTEN: Mapping[str, Callable[[Random], dict[str, str]]] = {
    "level_based": lambda random: {
        "proximity": "0.01", "min_strength": "0", "volume_ratio": "0.01", "min_reward_risk": "0",
        "exit_proximity": "0", "stop_beyond": random.choice(("0.002", "0.01")),
    },
    "ma_crossover": lambda random: {
        "short_window": random.choice(("1", "3")), "long_window": random.choice(("4", "9")),
    },
    "momentum": lambda random: {
        "min_conditions": random.choice(("1", "2")), "min_roc": "0.0005", "rsi_from": "51",
        "stop_loss": random.choice(("0.002", "0.01", "0.05")), "take_profit": random.choice(("0.003", "0.01", "0.05")),
    },
    "plain_breakout": lambda _random: {"warmup": "seeded"},
    "range_bound": lambda random: {
        "proximity": "0.02", "volume_confirmation": "false", "min_range_proximities": "0", "min_reward_risk": "0",
        "exit_proximity": random.choice(("0", "0.002")),
    },
}  # fmt: skip
KINDS: Mapping[str, Callable[[Random], Day]] = {"options": day_of_options, "shares": day_of_shares}


def _named(settings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {f"{name}.{key}": value for name, own in settings.items() for key, value in own.items()}


def read_words(words: Sequence[str]) -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.random_days")
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first day that is played")
    parser.add_argument("--kill", choices=PROGRAMS, help="program that dies on the way")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """The command: 0 when every day is identical."""
    asked = read_words(words)
    random = Random(asked.seed)
    for number in range(1, asked.days + 1):
        day = KINDS[asked.kind](random)
        if number < asked.first:
            continue
        day = replace(day, kill=asked.kill)
        report, ends = day.play()
        told = report.summary
        compared = ", ".join(f"{count} {kind}" for kind, count in told["compared"].items())
        print(f"{number}: {day.date} {','.join(day.wanted.symbols)}: {compared}; {ends}", flush=True)
        if not report.identical:
            print(f"{told['divergence']['reason']}\n{day}\n{told['divergence']}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ConfigurationError as error:
        sys.exit(str(error))
