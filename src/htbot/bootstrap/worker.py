"""Composition root of the Celery worker: one set of parts per pool process, made after the fork."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from htbot import __version__
from htbot.adapters.calendar import load_sessions
from htbot.adapters.live import LiveReader
from htbot.bootstrap.limits import risk_limits
from htbot.bootstrap.mail import build_channels
from htbot.bootstrap.strategy import build_strategy
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.records import Worker
from htbot.persistence.repositories import SessionRepository, WorkerRepository
from htbot.services.alert_delivery import DeliveryParts
from htbot.services.market_reader import MarketReader
from htbot.services.pnl_marker import PnlMarker
from htbot.settings import Settings, load_settings

# Sessions are kept from the first year of the data that is replayed to a year ahead.
_FIRST_SESSION = date(2010, 1, 1)
_AHEAD = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What tasks work with."""

    settings: Settings
    database: Database
    live: LiveReader
    reader: MarketReader
    marker: PnlMarker
    delivery: DeliveryParts
    host_now: Callable[[], datetime]


def build_worker(settings: Settings | None = None) -> WorkerParts:
    """The parts of one pool process."""
    chosen = settings or load_settings()
    database = Database(
        chosen.database.url, EngineOptions(application_name="htbot-worker", pool_size=2, max_overflow=2)
    )
    return WorkerParts(
        settings=chosen,
        database=database,
        live=LiveReader(chosen.redis.url),
        reader=MarketReader(
            build_strategy(chosen), risk_limits(chosen, chosen.strategy.symbol), enabled=chosen.strategy_enabled
        ),
        marker=PnlMarker(),
        delivery=DeliveryParts(database, build_channels(chosen), host_now),
        host_now=host_now,
    )


def host_now() -> datetime:
    """Wall time, aware UTC."""
    return datetime.now(UTC)


def announce_ready(settings: Settings, tasks: tuple[str, ...]) -> None:
    """Fill the table of sessions and write the `workers` row that the registration check reads (RULINGS 35)."""
    database = Database(settings.database.url, EngineOptions(application_name="htbot-worker-ready", pool_size=1))
    now, host = host_now(), socket.gethostname()
    last = now.date() + _AHEAD
    name = f"worker@{host}:{settings.paths.var}"
    try:
        with database.transaction() as transaction:
            sessions = SessionRepository(transaction)
            if not sessions.between(last - timedelta(days=30), last):
                table = load_sessions(_FIRST_SESSION, last, settings.paths.var / "cache")
                sessions.upsert(table.all())
            worker = Worker(name, host, os.getpid(), __version__, tasks, now, now)
            WorkerRepository(transaction).ready(worker)
    finally:
        database.close()
