"""What a backtest is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

FillRule = Literal["book", "close", "next_open"]
Commission = Literal["fixed", "none"]
Engine = Literal["auto", "compiled", "events"]


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """How a strategy is run over a tape: which of its sessions, which fills, which money, which limits.

    The strategy sees the files from their first bar on; it enters from session `start` to session `end`, both
    included. `limits` are rules of the gate by name (`backtest.bars.LIMITS`), dollars or plain numbers. `folder` keeps
    compiled code.
    """

    folder: Path
    data: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    fill: FillRule = "book"
    commission: Commission = "fixed"
    cash: Decimal = Decimal(100_000)
    limits: Mapping[str, object] = field(default_factory=dict)
    engine: Engine = "auto"
    account: str = "backtest"
