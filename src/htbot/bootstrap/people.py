"""Composition root of what a person touches: the services behind REST and CLI."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from redis import RedisError

from htbot.adapters.live import LiveReader
from htbot.bootstrap.limits import manual_terms
from htbot.domain.errors import HtbotError
from htbot.domain.instruments import Right
from htbot.marketdata.snapshot import Snapshot, decode
from htbot.persistence.engine import Database, EngineOptions
from htbot.services.commands import CommandParts, Commands
from htbot.services.desk_line import DeskLine
from htbot.services.kill_switch import KillSwitch
from htbot.services.manual_signal import ManualParts, ManualRequest, ManualSignals
from htbot.services.metrics import SystemMetrics
from htbot.services.queries import Queries, Sources
from htbot.services.tokens import Tokens
from htbot.settings import Settings

_log = logging.getLogger(__name__)


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


def ask_market(live: LiveReader, request: ManualRequest) -> Snapshot | None:
    """The desk's market of this moment with the strikes of a request; None when it does not answer in time."""
    right = (Right.PUT if request.strike_long < request.strike_short else Right.CALL).value
    options = [[str(strike), right] for strike in (request.strike_long, request.strike_short)]
    try:
        snapshot = decode(live.ask("snapshot", {"options": options}))
    except (HtbotError, RedisError) as error:
        _log.warning("the desk was asked for quotes: %s", error)
        return None
    return snapshot if snapshot.symbol == request.symbol else None


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
    manual = ManualParts(
        database, live, partial(manual_terms, settings), host_now, partial(ask_market, live), switch.halted_by
    )
    return People(
        database=database,
        queries=Queries(sources),
        commands=Commands(CommandParts(database, live, switch, account, host_now, DeskLine(settings.paths.run))),
        manual_signals=ManualSignals(manual),
        tokens=Tokens(database, host_now),
        metrics=SystemMetrics(sources),
    )
