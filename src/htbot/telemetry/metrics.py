"""The process's metrics, in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
REGISTRY = CollectorRegistry()

IB_CONNECTED = Gauge("ib_connected", "1 while the desk's session is up", registry=REGISTRY)
HALT_ACTIVE = Gauge("halt_active", "1 while a halt forbids entries", registry=REGISTRY)
OPEN_TRADES = Gauge("open_trades", "trades that are not closed", registry=REGISTRY)
DAILY_PNL_USD = Gauge("daily_pnl_usd", "net P&L of the session, realised", ["account"], registry=REGISTRY)
TASK_AGE_SECONDS = Gauge("task_age_seconds", "seconds since a periodic task last ended", ["task"], registry=REGISTRY)


def exposition() -> bytes:
    """All metrics as text, of content type `CONTENT_TYPE`."""
    return generate_latest(REGISTRY)
