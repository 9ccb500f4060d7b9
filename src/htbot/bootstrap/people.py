"""Composition root of what a person touches: the services behind REST and CLI."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from redis import RedisError
from sqlalchemy.orm import Session

from htbot.adapters.live import LiveReader
from htbot.bootstrap.backtest_jobs import BacktestJobs
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.install.usage import Degraded
from htbot.bootstrap.limits import breaker_limits, manual_terms, risk_limits
from htbot.bootstrap.outside import LookOutside
from htbot.bootstrap.programs import Programs
from htbot.bootstrap.strategy import build_strategy
from htbot.domain.errors import HtbotError
from htbot.domain.instruments import Right
from htbot.marketdata.snapshot import Snapshot, decode
from htbot.persistence.engine import Database, EngineOptions
from htbot.services.anchors import FILE_NAME, AnchorFile
from htbot.services.audit import Audit, AuditParts
from htbot.services.board.readings import Readings
from htbot.services.broker_session import BrokerSession
from htbot.services.commands import Commands
from htbot.services.day_picture import DayPictures
from htbot.services.desk_data import DeskData
from htbot.services.desk_line import DeskLine
from htbot.services.desk_view import market_now
from htbot.services.entry_hours import EntryHours, hours_of_instances
from htbot.services.freqtrade import Freqtrade, FreqtradeParts
from htbot.services.halting import CommandParts
from htbot.services.kill_switch import KillSwitch
from htbot.services.listings import Listings
from htbot.services.log_files import LogFiles
from htbot.services.manual_signal import ManualParts, ManualRequest, ManualSignals
from htbot.services.margin import ask_margin
from htbot.services.market_reader import NOT_ENABLED
from htbot.services.metrics import SystemMetrics
from htbot.services.monitoring import Monitoring, MonitoringParts
from htbot.services.performance import Performance
from htbot.services.pin import pin_digest
from htbot.services.prices import Prices
from htbot.services.queries import Queries, Sources
from htbot.services.risk_rules import RiskRules, RuleParts
from htbot.services.schedule import schedule
from htbot.services.scheduler import Scheduler, SchedulerParts
from htbot.services.settling import Settling
from htbot.services.strategies import Strategies, StrategyParts
from htbot.services.strategy_reads import StrategyReads
from htbot.services.tokens import Tokens
from htbot.services.trading_status import TradingStatuses
from htbot.services.versions import Version, own_version, version_trouble
from htbot.services.visits import VisitBook
from htbot.settings import Settings, load_settings
from htbot.settings.changes import changed_variables
from htbot.settings.strategy import NO_STRATEGY

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class People:
    """Everything that REST and CLI call."""

    database: Database
    queries: Queries
    readings: Readings
    commands: Commands
    settling: Settling
    manual_signals: ManualSignals
    tokens: Tokens
    visits: VisitBook
    audit: Audit
    metrics: SystemMetrics
    strategies: Strategies
    pictures: DayPictures
    logs: LogFiles
    programs: Programs
    backtests: BacktestJobs
    strategy_reads: StrategyReads
    scheduler: Scheduler
    listings: Listings
    risk_rules: RiskRules
    broker: BrokerSession
    performance: Performance
    prices: Prices
    freqtrade: Freqtrade
    monitoring: Monitoring
    trading: TradingStatuses


def host_now() -> datetime:
    """Wall time, aware UTC."""
    return datetime.now(UTC)


def _of_acts(live: LiveReader) -> datetime:
    return market_now(live, host_now())


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


def _halted_by(switch: KillSwitch, database: Database, own: Version) -> str | None:
    """Why nothing may be proposed besides the rows of `halts`: the STOP file, or code of another version."""
    told = switch.halted_by()
    if told is not None:
        return told
    with database.transaction() as session:
        return version_trouble(session, own)


def _pin(settings: Settings) -> str | None:
    """Digest of the PIN, None when none is set."""
    pin = settings.risk.pin
    return None if pin is None else pin_digest(pin.get_secret_value())


def _changed(running: Settings) -> list[str]:
    """Settings that would be read otherwise now.

    Raises:
        ConfigurationError: they cannot be run with.
    """
    return changed_variables(running, load_settings())


def _rule_parts(settings: Settings, database: Database, live: LiveReader) -> RuleParts:
    """Rules are asked for the strategy and the underlying that trade."""
    symbol = settings.strategy.symbol
    return RuleParts(database, live, build_strategy(settings).name, symbol, risk_limits(settings, symbol), host_now)


def _entry_hours(settings: Settings, session: Session) -> list[EntryHours]:
    """Of the configured strategy, and of instances."""
    chosen = settings.strategy
    own = [] if chosen.name == NO_STRATEGY else [EntryHours(chosen.name, chosen.entry_start, chosen.entry_end)]
    return [*own, *hours_of_instances(session, partial(strategies, settings))]


def _scheduler_parts(settings: Settings, database: Database, live: LiveReader) -> SchedulerParts:
    rows = schedule(settings.schedule.poll_seconds)
    off = None if settings.strategy_enabled else NOT_ENABLED.off
    return SchedulerParts(database, live, rows, host_now, partial(_entry_hours, settings), off)


def _manual_parts(settings: Settings, database: Database, live: LiveReader, switch: KillSwitch) -> ManualParts:
    return ManualParts(
        database=database,
        live=live,
        terms=partial(manual_terms, settings),
        host_now=host_now,
        ask=partial(ask_market, live),
        halted_by=partial(_halted_by, switch, database, own_version()),
        ask_margin=partial(ask_margin, live),
    )


def build_people(settings: Settings, options: EngineOptions, *, as_api: bool = False) -> People:
    """The services over the configured record and Redis. Nothing is connected yet.

    Args:
        settings: everything that is set.
        options: how the record is used.
        as_api: in the API's roles; else as the servers' owner, whom a person at the command line stands for.

    Raises:
        ConfigurationError: neither server is configured nor set up.
    """
    database = Database(settings.database.api_url if as_api else settings.database.url, options)
    live = LiveReader(settings.redis.api_url if as_api else settings.redis.url)
    switch = KillSwitch(settings.paths.kill_switch_file)
    account = settings.ib.account
    sources = Sources(
        database=database,
        live=live,
        kill_switch=switch,
        mode=settings.ib.trading_mode,
        account=account,
        host_now=host_now,
        breaker=breaker_limits(settings),
        degraded=Degraded(settings.paths.var.resolve(), settings.limits.memory_mb),
    )
    strategy_parts = StrategyParts(database, live, partial(strategies, settings), host_now, settings.ib.accounts)
    queries = Queries(sources)
    data = DeskData(live, live.ask, host_now)
    line = DeskLine(settings.paths.run)
    commands = Commands(CommandParts(database, live, switch, account, host_now, line, _pin(settings)))
    scheduler = Scheduler(_scheduler_parts(settings, database, live))
    performance = Performance(database, queries)
    most_trades = risk_limits(settings, settings.strategy.symbol).max_concurrent_trades
    of_acts = partial(_of_acts, live)
    return People(
        database=database,
        queries=queries,
        readings=Readings(sources, queries),
        performance=performance,
        freqtrade=Freqtrade(
            FreqtradeParts(queries, performance, scheduler, commands, most_trades, partial(_changed, settings))
        ),
        monitoring=Monitoring(MonitoringParts(database, queries, settings.paths.var, host_now)),
        commands=commands,
        settling=Settling(database, live, host_now),
        manual_signals=ManualSignals(_manual_parts(settings, database, live, switch)),
        tokens=Tokens(database, live, host_now),
        visits=VisitBook(database, of_acts),
        audit=Audit(AuditParts(database, AnchorFile(settings.paths.desk / FILE_NAME), host_now)),
        metrics=SystemMetrics(sources, LookOutside(settings)),
        pictures=DayPictures(database, live, settings.strategy.symbol, settings.strategy.bar_minutes, host_now),
        logs=LogFiles(settings.paths.log),
        programs=Programs(settings.paths.run, database, host_now, of_acts),
        backtests=BacktestJobs(settings.paths.backtests, settings.paths.data, database, host_now, of_acts),
        strategies=Strategies(strategy_parts),
        strategy_reads=StrategyReads(strategy_parts),
        listings=Listings(database, live, host_now),
        risk_rules=RiskRules(_rule_parts(settings, database, live)),
        broker=BrokerSession(database, data),
        prices=Prices(database, data),
        scheduler=scheduler,
        trading=TradingStatuses(queries, scheduler),
    )
