"""A trial: one combination of settings over one window. Plain values in, plain values out, so that it can be sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from htbot.backtest.optimize.windows import Window
from htbot.backtest.request import Commission, Engine, FillRule

Settings = tuple[tuple[str, str], ...]
"""Names and values as text, as `--set` takes them, in the order of the search."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all trials of a study have in common; `fixed` are settings that are not searched."""

    strategy: str
    data: tuple[str, ...]
    symbol: str
    bar: str | None = None
    fill: FillRule = "book"
    commission: Commission = "fixed"
    cash: Decimal = Decimal(100_000)
    engine: Engine = "auto"
    fixed: Settings = ()
    limits: Settings = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One run. `unseen` says that its window was not there when the settings were chosen: it is never ranked."""

    ground: Ground
    window: Window
    settings: Settings
    unseen: bool = False

    @property
    def id(self) -> str:
        """What makes a trial of a study this one: its window, and its settings in any order."""
        text = json.dumps(
            [self.window.first.isoformat(), self.window.last.isoformat(), self.unseen, sorted(self.settings)]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """What a trial gave: `values` has every metric of `goal.METRICS`, None where it cannot be known."""

    trades: int
    values: Mapping[str, float | None]
    engine: str
    wall_s: float = field(compare=False)
    why_not: str = ""
