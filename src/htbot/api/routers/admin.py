"""What the operators of the seed know by name: the day, the month, logs, programs, a close by hand."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from htbot.api.auth import Admin, Operator, require
from htbot.api.parts import Key, Parts, caller
from htbot.api.schemas.filters import AccountQuery
from htbot.api.schemas.requests import ManualCloseBody, RestartBody
from htbot.bootstrap.programs import ProgramView
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import PnlView
from htbot.services.command_kinds import EVERY_ACCOUNT
from htbot.services.commands import Closing
from htbot.services.log_files import LogLine
from htbot.services.monitoring import HealthView
from htbot.services.performance import MonthView, PortfolioSummary
from htbot.services.tokens import Role
from htbot.services.trading_status import TradingStatus

router = APIRouter(prefix="/api/v1", tags=["admin"], dependencies=[Depends(require(Role.VIEWER))])


@dataclass(frozen=True, slots=True)
class Summary:
    """What a person looks at first: whether anything is traded, what the account has come to, how the system is."""

    trading: TradingStatus
    portfolio: PortfolioSummary
    health: HealthView


@router.get("/dashboard/summary", summary="Trading, account and health in one answer")
def summary(parts: Parts) -> Summary:
    """As `GET /api/trading/status`, `/api/trading/portfolio/summary` and `/api/monitoring/health` tell it."""
    return Summary(parts.trading.now(), parts.performance.summary(), parts.monitoring.health())


@router.get("/pnl/today", summary="Result of the day and of the open trades")
def today(parts: Parts, account: AccountQuery = None) -> PnlView:
    """The same as `GET /pnl` without a day."""
    return parts.queries.pnl(Selection(account=account))


@router.get("/pnl/month", summary="Result of a month, session by session")
def month(
    parts: Parts,
    year: Annotated[
        int | None, Query(ge=1990, le=2200, description="with `month`; default: the market's month")
    ] = None,
    month: Annotated[int | None, Query(ge=1, le=12, description="with `year`")] = None,
    account: AccountQuery = None,
) -> MonthView:
    """Closed trades, net and gross; a session without one is left out."""
    return parts.performance.month(year, month, account)


@router.get("/logs", summary="The newest lines of the programs' logs, newest first")
def logs(
    parts: Parts,
    service: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="of this program")] = None,
    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], Query(description="of this level or above")
    ] = "info",
    search: Annotated[str | None, Query(max_length=200, description="with this text, whatever its case")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="the newest so many")] = 200,
) -> list[LogLine]:
    """Of the ends of the files; secrets are masked in them."""
    return parts.logs.tail(limit, service, level, search)


@router.get("/services", summary="The programs of this instance, as their supervisor sees them")
def services(parts: Parts) -> list[ProgramView]:
    """503 where no supervisor runs."""
    return parts.programs.states()


@router.post(
    "/service/{name}/restart",
    status_code=HTTPStatus.ACCEPTED,
    summary="End a program, which is started again",
)
def restart(
    parts: Parts,
    principal: Admin,
    name: Annotated[str, Path(pattern=r"^[a-z]{1,32}$", description="desk, worker, beat or api")],
    body: RestartBody | None = None,
    key: Key = None,
) -> ProgramView:
    """Answers with what it was before. The desk not while a trade is open, unless it is forced."""
    return parts.programs.restart(name, caller(principal, key), force=body is not None and body.force)


@router.post("/manual-close", status_code=HTTPStatus.ACCEPTED, summary="Close trades, an account, or everything")
def manual_close(parts: Parts, principal: Operator, body: ManualCloseBody, key: Key = None) -> Closing:
    """`position_ids` are trades, a durable command each; else everything of the account, or with `close_all` of all.

    Of several trades those that are over are passed by, so that they keep nobody from closing the rest.
    """
    if not body.position_ids:
        scope = EVERY_ACCOUNT if body.follower_id is None else body.follower_id
        return Closing([parts.commands.close(scope, caller(principal, key))])
    return parts.commands.close_trades(body.position_ids, caller(principal, key))
