"""Trading: the session with the broker, proposals of people, results."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from htbot.api.auth import Operator, require
from htbot.api.parts import Key, Parts, caller, propose
from htbot.api.schemas.filters import AccountQuery, SymbolQuery
from htbot.api.schemas.requests import DisconnectBody, TradeSignalBody
from htbot.domain.trades import TradeState
from htbot.persistence.queries.shapes import TradeView
from htbot.services.broker_session import BrokerAccount, BrokerPosition, BrokerStatus, RoundTrip
from htbot.services.callers import Accepted
from htbot.services.manual_signal import ManualAnswer
from htbot.services.performance import PerformanceView, PortfolioSummary
from htbot.services.tokens import Role
from htbot.services.trading_status import TradingStatus

router = APIRouter(prefix="/api/trading", tags=["trading"], dependencies=[Depends(require(Role.VIEWER))])
Status = TradeState | Literal["live", "all"]


@router.get("/ibkr/status", summary="The desk's session with the broker")
def status(parts: Parts) -> BrokerStatus:
    """`held_by` is who keeps the desk off the broker."""
    return parts.broker.status()


@router.post("/ibkr/connect", status_code=HTTPStatus.ACCEPTED, summary="Let the desk back to the broker")
def connect(parts: Parts, principal: Operator, key: Key = None) -> Accepted:
    """Harmless when it is connected. Done once the session stands: `GET /commands/{command_id}`."""
    return parts.broker.connect(caller(principal, key))


@router.post(
    "/ibkr/disconnect",
    status_code=HTTPStatus.ACCEPTED,
    summary="Take the desk off the broker until it is connected again",
)
def disconnect(parts: Parts, principal: Operator, body: DisconnectBody | None = None, key: Key = None) -> Accepted:
    """Holds over restarts, and does not change `/ready`. With an open trade it needs `force`: nobody guards it then."""
    return parts.broker.disconnect(caller(principal, key), force=body is not None and body.force)


@router.get("/ibkr/test", summary="A round trip through the desk to the broker")
def test(parts: Parts) -> RoundTrip:
    """With its duration, and the broker's time where asking for it moves nothing."""
    return parts.broker.test()


@router.post("/ibkr/test", summary="A round trip through the desk to the broker")
def test_again(parts: Parts) -> RoundTrip:
    """The same as `GET`."""
    return parts.broker.test()


@router.get("/ibkr/account", summary="What the broker tells of the traded account now")
def account(parts: Parts, account: AccountQuery = None) -> BrokerAccount:
    """By the broker's own names, dollars; of the main account, or of another that is traded."""
    return parts.broker.account(account)


@router.get("/ibkr/positions", summary="What the broker holds now, whoever made it")
def positions(parts: Parts) -> list[BrokerPosition]:
    """In every account of the login."""
    return parts.broker.positions()


@router.get("/status", summary="Whether anything is traded now, and what stands open")
def trading_status(parts: Parts) -> TradingStatus:
    """`GET /status` tells more; `GET /api/scheduler/status` why nothing is entered."""
    return parts.trading.now()


@router.post(
    "/live-trade",
    status_code=HTTPStatus.ACCEPTED,
    summary="Propose a vertical spread; it passes the same gate as every signal",
)
@router.post(
    "/execute",
    status_code=HTTPStatus.ACCEPTED,
    summary="Propose a vertical spread; it passes the same gate as every signal",
)
@router.post(
    "/signal",
    status_code=HTTPStatus.ACCEPTED,
    summary="Propose a vertical spread; it passes the same gate as every signal",
)
def execute(parts: Parts, principal: Operator, body: TradeSignalBody, key: Key = None) -> ManualAnswer:
    """The same as `POST /trade/signal`: 202 with the decision, 422 when a rule refuses."""
    return propose(parts, principal, body, key)


@router.get("/portfolio/summary", summary="The traded account in a few figures")
def summary(parts: Parts, account: AccountQuery = None) -> PortfolioSummary:
    """Figures of the broker, open and day's P&L, what was earned since the record began."""
    return parts.performance.summary(account)


@router.get("/performance", summary="Metrics over the stored trades and the stored equity")
def performance(parts: Parts, account: AccountQuery = None) -> PerformanceView:
    """Defined as those of a backtest; unknown is null."""
    return parts.performance.measure(account)


@router.get("/trades", summary="Trades, newest first")
def trades(
    parts: Parts,
    account: AccountQuery = None,
    symbol: SymbolQuery = None,
    status: Annotated[Status, Query(description="one state, `live` or `all`")] = "all",
    limit: Annotated[int, Query(ge=1, le=1000, description="the newest so many")] = 100,
) -> list[TradeView]:
    """Of the traded account, or of the one that is named; `all` takes every account."""
    return parts.queries.trades_like(account, symbol, status, limit)
