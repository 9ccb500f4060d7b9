"""Every metric that the replaced bots had or promised is exposed, unless it is of a part that does not exist here."""

from __future__ import annotations

import pytest

from htbot.telemetry.metric_names import CATALOGUE, COUNTED
from htbot.telemetry.metric_reference import exposed, page

AS_WRITTEN = {
    "trading_signals_total",
    "trading_trades_executed_total",
    "trading_position_pnl",
    "ibkr_connection_status",
}
"""README of the confluence bot: under these very names."""
WITH_THE_PREFIX = {
    # the confluence bot
    "trades_executed_total",
    "trades_rejected_total",
    "trade_execution_duration_seconds",
    "order_fill_time_seconds",
    "slippage_percent",
    "open_positions",
    "position_pnl",
    "broker_connection_status",
    "strategy_evaluation_duration_seconds",
    "signals_generated_total",
    "signal_confidence",
    "strategy_win_rate",
    "portfolio_total_pnl",
    "portfolio_daily_pnl",
    "portfolio_monthly_pnl",
    "portfolio_total_value",
    "risk_max_drawdown",
    "risk_daily_loss_limit",
    "system_cpu_percent",
    "system_memory_percent",
    "system_disk_percent",
    "database_up",
    "database_connections",
    "redis_up",
    "redis_memory_bytes",
    # the streams bot
    "stream_length",
    "stream_pending",
    "storage_rows_total",
    "feed_connected",
    "feed_reconnects_total",
    "symbols_active",
    # the components
    "orders_total",
    "order_latency_seconds",
    "fills_total",
    "ib_connected",
    "ib_reconnects_total",
    "ib_errors_total",
    "reconciliation_mismatches",
    "breaker_active",
    "halt_active",
    "daily_pnl_usd",
    "drawdown_pct",
    "gross_leverage",
    "data_age_seconds",
    "alert_sent_total",
    "heartbeat_age_seconds",
    # the spread bot and the first bot
    "ladder_attempts",
    "ladder_outcome_total",
    "margin_check_total",
    "trend",
    "rsi_ema",
    "trade_pnl",
}
LABELS = {
    "htbot_ib_connected": ("conn",),
    "htbot_ib_errors_total": ("code",),
    "htbot_reconciliation_mismatches": ("kind",),
    "htbot_halt_active": ("scope",),
    "htbot_symbols_active": ("mode",),
    "htbot_feed_reconnects_total": ("source",),
    "htbot_data_age_seconds": ("symbol",),
    "htbot_heartbeat_age_seconds": ("service",),
}
OF_PARTS_TO_COME = {
    *("provider_", "sentiment_"),
    *("follower_up", "time_value_status"),
    *("backfill_", "ticks_ingested_total", "tick_lag_seconds", "storage_batch_seconds"),
}
"""Sentiment; followers; vendors' feeds: absent and not stubbed. Whoever builds such a part moves its names above."""


def told() -> dict[str, tuple[str, ...]]:
    """Labels by each name on the page that Prometheus reads."""
    return {
        exposed(name, one.kind): labels or one.labels
        for one in (*CATALOGUE, *COUNTED)
        for name, labels in ((one.name, one.labels), *((alias.name, alias.labels) for alias in one.aliases))
    }


@pytest.mark.parametrize("name", sorted(AS_WRITTEN | {f"htbot_{one}" for one in WITH_THE_PREFIX}))
def test_what_was_promised_is_there_and_in_the_documentation(name: str) -> None:
    assert name in told()
    assert f"`{name}`" in page()


def test_labels_are_those_that_were_promised() -> None:
    assert {name: told().get(name) for name in LABELS} == LABELS


def test_parts_to_come_are_absent() -> None:
    found = {name for name in told() for part in OF_PARTS_TO_COME if name.removeprefix("htbot_").startswith(part)}
    assert found == set()
