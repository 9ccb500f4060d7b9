"""Texts of the files that `htbot new strategy` writes; words between @ are filled in."""

from __future__ import annotations

STRATEGY = '''"""@TITLE@: buy when the price gets above its mean, leave when it falls below.

    mean     simple mean of the last 20 closes, this one's included
    entry    when flat, a close at least 0.1 % above the mean: long
    stop     1 % below the entry's close
    exit     a close below the mean

It decides at bars of five minutes; shorter ones in the data are joined.

    htbot backtest @NAME@ --data FILE --symbol SPY
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN
from htbot.indicators.stream import Sma
from htbot.strategies.bar_strategy import (
    LEAVE,
    LONG,
    NONE,
    WAIT,
    Advice,
    BarConfig,
    BarInputs,
    BarStrategy,
    Holding,
)
from htbot.strategies.config import About, Meaning, Range


@dataclass(frozen=True, kw_only=True)
class @CLASS@Config(BarConfig):
    """Settings of @NAME@."""

    window: Annotated[int, Range(2, 500), Meaning("closes of the mean", "bars")] = 20
    entry_gap: Annotated[float, Range(0, 0.5), Meaning("how far above the mean it buys", "0.01 = 1 %")] = 0.001
    stop_loss: Annotated[float, Range(0.0001, 0.5), Meaning("stop, as a share of the price", "0.01 = 1 %")] = 0.01


class @CLASS@(BarStrategy):
    """Long above the mean, out below it."""

    name = "@NAME@"
    about = About(
        does="buys above a mean of closes and sells below it",
        enters="at a close entry_gap above the mean of the last window closes",
        leaves="at a close below the mean, or at the stop",
    )
    Config = @CLASS@Config

    config: @CLASS@Config
    mean: Sma
    entry_gap: float
    stop_loss: float

    def __init__(self, config: @CLASS@Config) -> None:
        super().__init__(config)
        self.mean = Sma(config.window)
        self.entry_gap = config.entry_gap
        self.stop_loss = config.stop_loss

    @property
    def inputs(self) -> BarInputs:
        """As many five-minute bars as the mean spans."""
        return BarInputs(bar_minutes=5, warm_up_bars=self.config.window)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        """One bar has closed. The mean is UNKNOWN at first, which compares false."""
        mean = self.mean.add(bar.close)
        if held.side != NONE:
            return LEAVE if bar.close < mean else WAIT
        if bar.close >= mean * (1.0 + self.entry_gap):
            return Advice(LONG, False, bar.close * (1.0 - self.stop_loss), UNKNOWN, 1.0)
        return WAIT
'''

TEST = '''"""What every strategy must pass, for @NAME@."""

from __future__ import annotations

from pathlib import Path

from tests.support.strategy_suite import StrategySuite

from htbot.strategies.registry import strategies_in

HERE = Path(__file__).parent


class Test@CLASS@(StrategySuite):
    """The answers are in `@NAME@.csv`; add a row for each rule that you add."""

    (strategy,) = strategies_in(HERE / "@NAME@.py")
    answers = HERE / "@NAME@.csv"
    default_hash = "@HASH@"
    variants = (
        {"window": 5, "entry_gap": 0.0005},
        {"window": 10, "stop_loss": 0.002, "exit_time": "15:00"},
    )
'''

ANSWERS = """\
case,settings,start,open,high,low,close,volume,advice,stop,target,confidence,closed,why
up and down,window=3,2024-01-02 09:30,100,100,100,100,1000,,,,,,the mean needs three closes
up and down,,2024-01-02 09:35,100,100,100,100,1000,,,,,,
up and down,,2024-01-02 09:40,100,100,100,100,1000,,,,,,at the mean
up and down,,2024-01-02 09:45,100,100.2,100,100.2,1000,long,99.198,,1,,100.2 over 100.067 * 1.001 = 100.167
up and down,,2024-01-02 09:50,100.2,100.5,100.2,100.5,1000,,,,,,above the mean
up and down,,2024-01-02 09:55,100.5,100.5,99.9,99.9,1000,leave,,,,signal,below 100.2
up and down,,2024-01-02 10:00,99.9,100,99.9,100,1000,,,,,,below 100.133
stop,window=3,2024-01-02 09:30,100,100,100,100,1000,,,,,,
stop,,2024-01-02 09:35,100,100,100,100,1000,,,,,,
stop,,2024-01-02 09:40,100,100.4,100,100.4,1000,long,99.396,,1,,100.4 against 100.133 * 1.001 = 100.234
stop,,2024-01-02 09:45,100.4,100.4,99,99.3,1000,leave,,,,stop_loss,below the mean too; the stop comes first
near,window=3,2024-01-02 09:30,100,100,100,100,1000,,,,,,
near,,2024-01-02 09:35,100,100,100,100,1000,,,,,,
near,,2024-01-02 09:40,100,100.1,100,100.1,1000,,,,,,100.1 against 100.033 * 1.001 = 100.133
"""

PAGE = """# @TITLE@

Buys when the price gets above its mean, leaves when it falls below. All of it is in [@NAME@.py](@NAME@.py).

## Rules

- Mean: simple mean of the last `window` closes, this one's included.
- Entry: when flat, a close at least `entry_gap` above the mean: long.
- Stop: `stop_loss` below the entry's close.
- Exit: a close below the mean.

## Settings

Besides those of every strategy on plain instruments:

| setting | default | range |
|---|---|---|
| `window` | 20 | 2 to 500 |
| `entry_gap` | 0.001 | 0 to 0.5, a share of the price |
| `stop_loss` | 0.01 | 0.0001 to 0.5, a share of the price |

## Run it

In the project's folder. The bars are made up; what they earn means nothing.

```bash
.venv/bin/python -m pytest -c pyproject.toml @FOLDER@/test_@NAME@.py
.venv/bin/htbot backtest @NAME@ --data @FOLDER@/@NAME@_bars.csv --symbol DEMO
```

Not in `examples/strategies`? Name the folder in `HTBOT_STRATEGY_PATH`, then `htbot` finds the strategy there.
"""
