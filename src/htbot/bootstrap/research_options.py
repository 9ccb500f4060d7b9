"""What a backtest is asked for, whatever it trades."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from htbot.backtest.request import Commission, Engine, FillRule


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """The options of `htbot backtest`. `settings` are the strategy's, `limits` the gate's, as given: name and text."""

    strategy: str
    data: tuple[Path, ...]
    symbol: str
    bar: str | None = None
    start: date | None = None
    end: date | None = None
    fill: FillRule = "book"
    commission: Commission = "fixed"
    cash: Decimal = Decimal(100_000)
    engine: Engine = "auto"
    settings: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)


def days_told(start: date | None, end: date | None) -> str:
    """The days that were asked for, in words."""
    if start is None:
        return "at all" if end is None else f"up to {end}"
    return f"from {start} on" if end is None else f"from {start} to {end}"
