"""Reads: role viewer."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from htbot.api.auth import require
from htbot.api.parts import Chosen, Parts
from htbot.api.schemas.filters import AccountQuery
from htbot.persistence.queries.shapes import (
    AccountView,
    AlertView,
    CommandView,
    FillView,
    OrderView,
    PnlView,
    SignalView,
    TradeView,
)
from htbot.persistence.queries.why import WhyView
from htbot.services.risk_view import RiskView
from htbot.services.tokens import Role

router = APIRouter(tags=["reads"], dependencies=[Depends(require(Role.VIEWER))])


@router.get("/orders", summary="Orders at the broker, oldest first")
def orders(parts: Parts, chosen: Chosen) -> list[OrderView]:
    """Orders."""
    return parts.queries.orders(chosen)


@router.get("/fills", summary="Executions of single legs, oldest first")
def fills(parts: Parts, chosen: Chosen) -> list[FillView]:
    """Fills."""
    return parts.queries.fills(chosen)


@router.get("/trades", summary="Trades from entry to exit, oldest first")
def trades(parts: Parts, chosen: Chosen) -> list[TradeView]:
    """Trades."""
    return parts.queries.trades(chosen)


@router.get("/trades/{trade_id}/why", summary="The ten steps of a trade with stored values")
def why(parts: Parts, trade_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]) -> WhyView:
    """Why a trade was made and how it ended."""
    return parts.queries.why(trade_id)


@router.get("/signals", summary="Signals, accepted and refused, oldest first")
def signals(parts: Parts, chosen: Chosen) -> list[SignalView]:
    """Signals."""
    return parts.queries.signals(chosen)


@router.get("/pnl", summary="Result of a day and of the open trades")
def pnl(parts: Parts, chosen: Chosen) -> PnlView:
    """P&L."""
    return parts.queries.pnl(chosen)


@router.get("/risk/metrics", summary="The breaker: day's P&L, limits, drawdown, what has tripped")
def risk(parts: Parts, chosen: Chosen) -> RiskView:
    """Risk figures."""
    return parts.queries.risk(chosen.account)


@router.get("/account", summary="The traded account as the broker told it, or the one that is named")
def account(parts: Parts, account: AccountQuery = None) -> AccountView:
    """Account."""
    return parts.queries.account(account)


@router.get("/alerts", summary="Messages to people, oldest first")
def alerts(parts: Parts, chosen: Chosen) -> list[AlertView]:
    """Alerts."""
    return parts.queries.alerts(chosen)


@router.get("/commands/{command_id}", summary="How far a command has come")
def command(parts: Parts, command_id: UUID) -> CommandView:
    """A command."""
    return parts.queries.command(command_id)


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(parts: Parts) -> Response:
    """Metrics in the text format."""
    return Response(parts.metrics() + parts.http.page(), media_type="text/plain; version=0.0.4; charset=utf-8")
