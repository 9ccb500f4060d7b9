"""Row classes, one module per aggregate. They never leave `htbot.persistence`."""

from __future__ import annotations

from htbot.persistence.rows import (
    alerts,
    control,
    equity,
    intents,
    market,
    orders,
    portfolio,
    signals,
    tasks,
    tokens,
    trades,
)
from htbot.persistence.rows.base import Base

__all__ = [
    "Base",
    "alerts",
    "control",
    "equity",
    "intents",
    "market",
    "orders",
    "portfolio",
    "signals",
    "tasks",
    "tokens",
    "trades",
]
