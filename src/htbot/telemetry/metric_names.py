"""The catalogue of metrics. `docs/reference/metrics.md` is written from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a metric moves: a counter never falls, a gauge is what is now, a histogram counts values by size."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of a metric; `labels` renames its labels in their order, empty = the same."""

    name: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """One metric. `source` says in a word where it comes from; `bounds` are a histogram's upper bounds."""

    name: str
    kind: Kind
    help: str
    source: str
    labels: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    bounds: tuple[float, ...] = ()


_MARKET_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
TASK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SHARE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_STEPS = (1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0)
_PERCENT = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0)
DROPPED = "htbot_metrics_series_dropped"


def _counter(name: str, text: str, source: str, *labels: str, aliases: tuple[Alias, ...] = ()) -> Named:
    return Named(f"htbot_{name}", Kind.COUNTER, text, source, labels, aliases)


def _gauge(name: str, text: str, source: str, *labels: str, aliases: tuple[Alias, ...] = ()) -> Named:
    return Named(f"htbot_{name}", Kind.GAUGE, text, source, labels, aliases)


def _histogram(name: str, text: str, source: str, bounds: tuple[float, ...], *labels: str) -> Named:
    return Named(f"htbot_{name}", Kind.HISTOGRAM, text, source, labels, (), bounds)


CATALOGUE: tuple[Named, ...] = (
    # the desk and its broker
    _gauge("ib_connected", "1 while the desk's broker session is up", "redis", "conn",
           aliases=(Alias("htbot_broker_connection_status"), Alias("ibkr_connection_status"))),
    _counter("ib_reconnects", "times that the desk has taken its broker session up again", "record", "conn"),
    _gauge("feed_connected", "1 while quotes of the underlying come in", "redis", "source"),
    _counter("feed_reconnects", "times that quotes were asked for anew in a new session", "record", "source"),
    _gauge("trading_enabled", "1 while entries of the main account may leave", "redis"),
    _gauge("heartbeat_age_seconds", "wall seconds since a part last spoke", "redis, record", "service"),
    _gauge("data_age_seconds", "market seconds since the underlying was last quoted", "redis", "symbol"),
    _gauge("session_open", "1 within a regular session of the exchange", "record"),
    _counter("desk_starts", "times that a desk has begun on this record", "record"),
    _gauge("process_start_time_seconds", "when a process last started, seconds since 1970", "record", "service"),
    _gauge("process_memory_bytes", "resident memory of a program, its pool processes included", "host", "service"),
    _gauge("process_open_files", "open files of the process of a program that has most", "host", "service"),
    # decisions
    _counter("signals_generated", "signals by kind (bull, bear, leave) and outcome (accepted, refused, observed)",
             "record", "strategy", "type", "symbol", "outcome", aliases=(Alias("trading_signals"),)),
    _counter("trades_rejected", "proposals refused, by the rule that did", "record", "reason",
             aliases=(Alias("htbot_risk_refusals", ("rule",)),)),
    _gauge("trend", "the strategy's trend at its last evaluation: 1, 0 or -1", "record", "strategy", "symbol"),
    _gauge("rsi_ema", "the smoothed RSI at the last evaluation", "record", "strategy", "symbol"),
    _gauge("evaluation_age_seconds", "market seconds since a strategy was last evaluated", "record", "strategy"),
    _histogram("strategy_evaluation_duration_seconds", "wall seconds that evaluating strategies took", "record",
               TASK_S, "task"),
    _histogram("signal_confidence", "how sure strategies were of what they signalled, 0 to 1, where they say so",
               "record", _SHARE, "strategy"),
    _gauge("symbols_active", "underlyings that enabled instances look at, by mode; `option`: that the desk streams",
           "record, redis", "mode"),
    _counter("margin_check", "proposals by what came of the look at the broker's margin", "record", "result"),
    # orders and fills
    _counter("orders", "orders that have reached a state", "record", "status"),
    _gauge("open_orders", "orders that are not over, by state", "record", "status"),
    _counter("fills", "executions of single legs", "record"),
    _counter("ib_errors", "orders that ended with an error of the broker, by its code", "record", "code"),
    _histogram("order_latency_seconds", "market seconds from the decision until the order was handed over", "record",
               _MARKET_S, "purpose"),
    _histogram("order_fill_time_seconds", "market seconds from handing over to the last fill of a filled order",
               "record", _MARKET_S, "purpose"),
    _histogram("trade_execution_duration_seconds", "market seconds from the decision to the last fill of its entry",
               "record", _MARKET_S, "strategy"),
    _histogram("slippage_percent",
               "how much worse than its first limit a filled order ended, percent of that limit; better counts as 0",
               "record", _PERCENT, "purpose"),
    _histogram("ladder_attempts", "limits that an ended order had, of orders whose limit walks", "record", _STEPS,
               "purpose"),
    _counter("ladder_outcome", "orders whose limit walks by how they ended, and entries refused before the first limit",
             "record", "purpose", "outcome"),
    # trades and money
    _counter("trades_executed", "trades whose entry has filled", "record", "strategy", "symbol", "side",
             aliases=(Alias("trading_trades_executed"),)),
    _gauge("open_trades", "trades that are not closed", "record"),
    _gauge("open_positions", "contracts held", "record"),
    _gauge("position_pnl", "dollars that open trades stand at by their last mark", "record", "symbol",
           aliases=(Alias("trading_position_pnl"),)),
    _gauge("trade_pnl", "dollars that the open trade stands at by its last mark", "record", "strategy", "account"),
    _gauge("strategy_win_rate", "share of closed trades with a gain, 0 to 1", "record", "strategy"),
    _counter("unprotected_seconds", "market seconds in which an open trade had no guard", "record"),
    _gauge("daily_pnl_usd", "net dollars of the session's closed trades", "record", "account",
           aliases=(Alias("htbot_portfolio_daily_pnl"),)),
    _gauge("portfolio_monthly_pnl", "net dollars of the calendar month's closed trades", "record", "account"),
    _gauge("portfolio_total_pnl", "net dollars of all closed trades", "record", "account"),
    _gauge("portfolio_total_value", "net liquidation in dollars as the broker last told", "record", "account"),
    # risk
    _gauge(
        "halt_active",
        "1 while a halt or the STOP file forbids entries: of all accounts (`global`), or of the one that is named",
        "record, STOP file",
        "scope",
    ),
    _gauge("breaker_active", "1 while the circuit breaker has tripped", "record"),
    _gauge("drawdown_pct", "fall of the equity from its peak, percent", "record", "account"),
    _gauge("drawdown_usd", "fall of the equity from its peak, dollars", "record", "account"),
    _gauge("risk_daily_pnl_usd", "the day's P&L that the breaker judges, open trades included", "record", "account"),
    _gauge("risk_daily_loss_limit", "dollars that a day may lose before the breaker trips", "record, settings",
           "account"),
    _gauge("risk_max_drawdown", "percent of drawdown at which the breaker trips", "settings"),
    _gauge("gross_leverage", "gross position value over net liquidation", "redis", "account"),
    _gauge("reconciliation_mismatches", "what the last stored comparison found, by kind", "record", "kind"),
    # alerts and tasks
    _gauge("alerts", "alerts by state of delivery", "record", "state"),
    _counter("alert_sent", "alerts that are over: sent, or given up", "record", "status"),
    _gauge("task_age_seconds", "wall seconds since a task last began", "record", "task"),
    _counter("tasks", "runs of tasks by how they ended", "record", "task", "state"),
    # servers and host
    _gauge("database_up", "1 while PostgreSQL answers", "record"),
    _gauge("database_size_bytes", "size of the record", "postgresql"),
    _gauge("database_connections", "connections to the record", "postgresql"),
    _counter("storage_rows", "rows written to a table since PostgreSQL last began counting", "postgresql", "table"),
    _gauge("redis_up", "1 while Redis answers", "redis"),
    _gauge("redis_memory_bytes", "memory that Redis uses", "redis"),
    _gauge("queue_length", "messages that wait for a worker", "redis", "queue"),
    _gauge("stream_length", "entries of a stream", "redis", "stream"),
    _gauge("stream_pending", "entries that a group has read and not acknowledged", "redis", "stream", "group"),
    _gauge("system_cpu_percent", "load of all cores since the page before, percent", "host"),
    _gauge("system_memory_percent", "memory in use, percent", "host"),
    _gauge("system_disk_percent", "disk in use where the state lies, percent", "host"),
    _gauge("metrics_series_dropped", "label sets that were left out of this page because there were too many", "page"),
)  # fmt: skip

_CALL_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
REQUESTS = _counter(
    "http_requests", "answers of the API, by template of the route", "process", "method", "route", "status"
)
REQUEST_SECONDS = _histogram(
    "http_request_duration_seconds",
    "wall seconds from a call's head to the end of its answer",
    "process",
    _CALL_S,
    *("method", "route"),
)
COUNTED = (REQUESTS, REQUEST_SECONDS)
"""What an API process counts by itself, because it leaves no row: it begins anew with the process."""
