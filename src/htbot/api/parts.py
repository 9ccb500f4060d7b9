"""What the endpoints work with, put together in `htbot.bootstrap.api`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from htbot.api.auth import Viewer
from htbot.api.measure import HttpMetrics
from htbot.api.schemas.filters import AccountQuery, Day
from htbot.api.schemas.requests import TradeSignalBody
from htbot.bootstrap.backtest_jobs import BacktestJobs
from htbot.bootstrap.programs import Programs
from htbot.dashboard.application import Dashboard
from htbot.persistence.queries.selection import Selection
from htbot.services.audit import Audit
from htbot.services.board.feed import Feed
from htbot.services.broker_session import BrokerSession
from htbot.services.callers import Caller
from htbot.services.commands import Commands
from htbot.services.doorman import Doorman, Principal
from htbot.services.freqtrade import Freqtrade
from htbot.services.listings import Listings
from htbot.services.log_files import LogFiles
from htbot.services.manual_signal import ManualAnswer, ManualRequest, ManualSignals
from htbot.services.monitoring import Monitoring
from htbot.services.performance import Performance
from htbot.services.prices import Prices
from htbot.services.queries import Queries
from htbot.services.risk_rules import RiskRules
from htbot.services.scheduler import Scheduler
from htbot.services.settling import Settling
from htbot.services.strategies import Strategies
from htbot.services.strategy_reads import StrategyReads
from htbot.services.trading_status import TradingStatuses


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Services behind the API, and the hosts by whose name it may be called besides loopback."""

    queries: Queries
    commands: Commands
    settling: Settling
    manual_signals: ManualSignals
    strategies: Strategies
    strategy_reads: StrategyReads
    scheduler: Scheduler
    listings: Listings
    risk_rules: RiskRules
    broker: BrokerSession
    audit: Audit
    performance: Performance
    prices: Prices
    freqtrade: Freqtrade
    monitoring: Monitoring
    trading: TradingStatuses
    backtests: BacktestJobs
    programs: Programs
    logs: LogFiles
    metrics: Callable[[], bytes]
    doorman: Doorman
    hosts: tuple[str, ...]
    url: str
    feed: Feed
    http: HttpMetrics = field(default_factory=HttpMetrics)
    dashboard: Dashboard | None = None


async def _parts(request: Request) -> ApiParts:
    parts: ApiParts = request.app.state.parts
    return parts


async def _selection(
    account: AccountQuery = None,
    day: Day = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="the newest so many")] = 200,
) -> Selection:
    return Selection(account, day, limit)


def caller(principal: Principal, key: str | None) -> Caller:
    """The caller of a command."""
    return Caller(principal.actor, key)


def propose(parts: ApiParts, principal: Principal, body: TradeSignalBody, key: str | None) -> ManualAnswer:
    """A spread that a person wants, through the gate.

    Raises:
        Refused: a rule said no.
    """
    return parts.manual_signals.propose(request_of(body), caller(principal, key))


def request_of(body: TradeSignalBody) -> ManualRequest:
    """The spread that a body asks for."""
    return ManualRequest(
        strategy=body.strategy,
        symbol=body.symbol,
        quantity=body.qty_per_leg,
        strike_long=body.strike_long,
        strike_short=body.strike_short,
        right=body.right,
        expiry=body.expiry,
        account=body.follower_id,
    )


Parts = Annotated[ApiParts, Depends(_parts)]
Chosen = Annotated[Selection, Depends(_selection)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="the same key gives the same answer and one effect",
    ),
]
__all__ = ["ApiParts", "Chosen", "Key", "Parts", "Viewer", "caller"]
