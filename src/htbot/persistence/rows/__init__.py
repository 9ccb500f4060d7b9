"""Row classes, one module per aggregate. They never leave `htbot.persistence`."""

from __future__ import annotations

from htbot.persistence.rows import (
    alerts,
    control,
    decisions,
    equity,
    intents,
    market,
    orders,
    portfolio,
    reconciliation,
    signals,
    strategies,
    tasks,
    tokens,
    trades,
)
from htbot.persistence.rows.base import Base

__all__ = [
    "Base",
    "alerts",
    "control",
    "decisions",
    "equity",
    "intents",
    "market",
    "orders",
    "portfolio",
    "reconciliation",
    "signals",
    "strategies",
    "tasks",
    "tokens",
    "trades",
]
