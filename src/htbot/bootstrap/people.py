"""Composition root of what a person touches: the services behind REST and CLI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from htbot.adapters.live import LiveReader
from htbot.bootstrap.limits import manual_terms
from htbot.persistence.engine import Database, EngineOptions
from htbot.services.commands import CommandParts, Commands
from htbot.services.kill_switch import KillSwitch
from htbot.services.manual_signal import ManualParts, ManualSignals
from htbot.services.metrics import SystemMetrics
from htbot.services.queries import Queries, Sources
from htbot.services.tokens import Tokens
from htbot.settings import Settings


@dataclass(frozen=True, slots=True)
class People:
    """Everything that REST and CLI call."""

    database: Database
    queries: Queries
    commands: Commands
    manual_signals: ManualSignals
    tokens: Tokens
    metrics: SystemMetrics


def host_now() -> datetime:
    """Wall time, aware UTC."""
    return datetime.now(UTC)


def build_people(settings: Settings, options: EngineOptions) -> People:
    """The services over the configured record and Redis. Nothing is connected yet.

    Raises:
        ConfigurationError: neither server is configured nor set up.
    """
    database = Database(settings.database.url, options)
    live = LiveReader(settings.redis.url)
    switch = KillSwitch(settings.paths.kill_switch_file)
    account = settings.ib.account
    sources = Sources(database, live, switch, settings.ib.trading_mode, account, host_now)
    return People(
        database=database,
        queries=Queries(sources),
        commands=Commands(CommandParts(database, live, switch, account, host_now)),
        manual_signals=ManualSignals(ManualParts(database, live, partial(manual_terms, settings), host_now)),
        tokens=Tokens(database, host_now),
        metrics=SystemMetrics(sources),
    )
