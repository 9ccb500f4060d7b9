"""Random days of strategies on options, through the real stack and through the backtest.

    python -m tests.proofs.option_days --days 10 --seed 1

World, underlyings, settings and what a fill may take of a quote are drawn from the seed, day after day: a longer run
begins with the days of a shorter one. Ends with 1 at the first day that differs, which `--first` plays again.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from htbot.bootstrap import demo
from htbot.bootstrap.parity import ParityReport, against_backtest
from htbot.bootstrap.parity_cast import CastWanted, cast_of
from htbot.domain.errors import ConfigurationError
from htbot.strategies.registry import STRATEGIES

NAMES = ("spx_breakout", "strangle_momentum", "vertical_spread")
SYMBOLS = ("SPX", "SPY", "QQQ")
HALF_DAYS = (date(2025, 11, 28), date(2026, 11, 27), date(2026, 12, 24))
FIRST, WEEKS = date(2026, 1, 5), 44


@dataclass(frozen=True, slots=True)
class Day:
    """What is played, by whom, in which world, and how the gateway fills."""

    wanted: CastWanted
    date: date
    seed: int
    fills: Mapping[str, str]

    def play(self) -> tuple[ParityReport, str]:
        """Through the stack, then through the backtest; what came of it, and how the stack's trades ended."""
        cast = cast_of(self.wanted, (), None, STRATEGIES)
        settings = {**cast.settings, **self.fills}
        options = demo.DemoOptions(
            day=self.date, symbol=cast.own, seed=self.seed, instances=cast.instances, settings=settings
        )
        played = demo.run(options)
        ends = Counter(f"{row.of.partition('.')[0]} {row.fields['exit_reason']}" for row in played.record.rows.trades)
        told = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
        return against_backtest(played, cast.names), told


def drawn(random: Random) -> Day:
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
    named = {f"{name}.{key}": value for name, own in settings.items() for key, value in own.items()}
    return Day(
        CastWanted(NAMES, random.sample(SYMBOLS, len(SYMBOLS)), named),
        day,
        random.randrange(1_000_000),
        {"PAPER_TOUCH_SHARE": random.choice(("1", "0.1")), "PAPER_SLIPPAGE_TICKS": random.choice(("0", "1"))},
    )


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


def read_words(words: Sequence[str]) -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.option_days")
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first day that is played")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """The command: 0 when every day is identical."""
    asked = read_words(words)
    random = Random(asked.seed)
    for number in range(1, asked.days + 1):
        day = drawn(random)
        if number < asked.first:
            continue
        report, ends = day.play()
        told = report.summary
        compared = ", ".join(f"{count} {kind}" for kind, count in told["compared"].items())
        print(f"{number}: {day.date} {','.join(day.wanted.symbols)}: {compared}; {ends}", flush=True)
        if not report.identical:
            print(f"{told['divergence']['reason']}\n{day}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ConfigurationError as error:
        sys.exit(str(error))
