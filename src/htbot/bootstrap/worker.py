"""Composition root of the Celery worker: one set of parts per pool process, made after the fork."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from htbot import __version__
from htbot.adapters.alert_stream import AlertStream
from htbot.adapters.live import LiveReader
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.limits import plain_limits, risk_limits, spread_limits
from htbot.bootstrap.mail import build_channels
from htbot.bootstrap.strategy import build_strategy
from htbot.domain.errors import ConfigurationError
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.records import OBSERVE, StrategyInstance, Worker
from htbot.persistence.repositories import SessionRepository, WorkerRepository
from htbot.services.alert_delivery import DeliveryParts
from htbot.services.bar_evaluator import BarEvaluator
from htbot.services.bar_trader import BarTrader, TraderParts
from htbot.services.margin import AskMargin, ask_margin
from htbot.services.market_reader import NOT_ENABLED, TRADES, MarketReader, Switches
from htbot.services.market_seats import MarketSeats
from htbot.services.option_instances import spread_strategy
from htbot.services.pnl_marker import PnlMarker
from htbot.services.versions import Version, own_version, register
from htbot.settings import Settings, load_settings
from htbot.settings.strategy import NO_STRATEGY

# The calendar is made again when less than eleven months of it are left.
AHEAD = timedelta(days=335)


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What tasks work with; `version` is compared with the record's and the desk's before anything is originated."""

    settings: Settings
    database: Database
    live: LiveReader
    reader: MarketReader
    seats: MarketSeats
    marker: PnlMarker
    evaluator: BarEvaluator
    delivery: DeliveryParts
    host_now: Callable[[], datetime]
    version: Version | None = None


def build_worker(settings: Settings | None = None) -> WorkerParts:
    """The parts of one pool process."""
    chosen = settings or load_settings()
    database = Database(
        chosen.database.app_url,
        EngineOptions(application_name="htbot-worker", pool_size=2, max_overflow=2, ping_first=False),
    )
    live = LiveReader(chosen.redis.app_url)
    strategy, limits = build_strategy(chosen), risk_limits(chosen, chosen.strategy.symbol)
    reader = MarketReader(strategy, limits, partial(ask_margin, live), own_switches(chosen))
    return WorkerParts(
        settings=chosen,
        database=database,
        live=live,
        reader=reader,
        seats=MarketSeats(reader, partial(reader_of, chosen, partial(ask_margin, live))),
        marker=PnlMarker(),
        evaluator=BarEvaluator(
            partial(strategies, chosen),
            trader=BarTrader(
                TraderParts(
                    limits_of=partial(plain_limits, chosen),
                    ask_margin=partial(ask_margin, live),
                    enabled=chosen.strategy_enabled,
                    transaction=database.transaction,
                )
            ),
        ),
        delivery=DeliveryParts(database, build_channels(chosen), host_now, AlertStream(chosen.redis.app_url).publish),
        host_now=host_now,
        version=own_version(),
    )


def own_switches(settings: Settings) -> Switches:
    """What a person has switched of the configured strategy."""
    if settings.strategy.name == NO_STRATEGY:
        return Switches(f"there is no configured strategy: HTBOT_STRATEGY={NO_STRATEGY}")
    return TRADES if settings.strategy_enabled else NOT_ENABLED


def reader_of(settings: Settings, ask: AskMargin, instance: StrategyInstance) -> MarketReader:
    """The reader of an instance on options: the gate of everybody, with its own target, stop and hours.

    Raises:
        NotFound, CallerMistake, ConfigurationError: its type or a setting is not known any more, or does not fit.
    """
    strategy = spread_strategy(instance)
    switches = TRADES if settings.strategy_enabled else NOT_ENABLED
    if instance.mode == OBSERVE:
        switches = Switches(observed=True)
    return MarketReader(strategy, spread_limits(settings, strategy), ask, switches)


def host_now() -> datetime:
    """Wall time, aware UTC."""
    return datetime.now(UTC)


def announce_ready(settings: Settings, tasks: tuple[str, ...]) -> None:
    """See to the table of sessions and write the `workers` row that the registration check reads (RULINGS 35).

    Raises:
        ConfigurationError: the exchange calendar could not be stored.
    """
    database = Database(settings.database.app_url, EngineOptions(application_name="htbot-worker-ready", pool_size=1))
    now, host = host_now(), socket.gethostname()
    try:
        if not _sessions_known(database, now):
            _fill_sessions()
        with database.transaction() as transaction:
            name = f"worker@{host}:{settings.paths.var}"
            WorkerRepository(transaction).ready(Worker(name, host, os.getpid(), __version__, tasks, now, now))
            register(transaction, name, own_version(), now)
    finally:
        database.close()


def _sessions_known(database: Database, now: datetime) -> bool:
    last = now.date() + AHEAD
    with database.transaction() as transaction:
        return bool(SessionRepository(transaction).between(last - timedelta(days=30), last))


def _fill_sessions() -> None:
    done = subprocess.run(  # its memory goes with it
        [sys.executable, "-m", "htbot.bootstrap.sessions"], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ConfigurationError(f"the exchange calendar was not stored: {done.stderr.strip()}")
