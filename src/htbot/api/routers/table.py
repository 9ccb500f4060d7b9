"""Every router of the API, in the order in which paths are looked up."""

from __future__ import annotations

from htbot.api.routers import (
    admin,
    backtests,
    board,
    control,
    documentation,
    execution,
    freqtrade,
    gate,
    monitoring,
    open,  # noqa: A004 - a module of open endpoints
    orders,
    prices,
    reads,
    record,
    risk,
    scheduler,
    strategies,
    sync,
    trading,
)

ROUTERS = (
    open.router,
    board.router,
    reads.router,
    control.router,
    strategies.router,
    scheduler.router,
    orders.router,
    risk.router,
    gate.router,
    record.router,
    sync.router,
    execution.router,
    trading.router,
    backtests.router,
    admin.router,
    prices.router,
    monitoring.router,
    freqtrade.router,
    documentation.router,
)
