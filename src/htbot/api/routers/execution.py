"""Orders under the seed's paths: proposals, what became of them, how orders have fared."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from htbot.api.auth import Operator, require
from htbot.api.parts import Key, Parts, propose
from htbot.api.schemas.filters import OrdersQuery
from htbot.api.schemas.requests import TradeSignalBody
from htbot.persistence.queries.paging import Page
from htbot.persistence.queries.shapes import OrderView
from htbot.services.listings import OrderDetail
from htbot.services.manual_signal import ManualAnswer
from htbot.services.monitoring import ExecutionStats
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/execution", tags=["execution"], dependencies=[Depends(require(Role.VIEWER))])
Ref = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,128}$", description="the order's reference")]


@router.post(
    "/signal",
    status_code=HTTPStatus.ACCEPTED,
    summary="Propose a vertical spread; it passes the same gate as every signal",
)
def signal(parts: Parts, principal: Operator, body: TradeSignalBody, key: Key = None) -> ManualAnswer:
    """The same as `POST /trade/signal`."""
    return propose(parts, principal, body, key)


@router.get("/history", summary="Orders at the broker, newest first")
def history(parts: Parts, asked: Annotated[OrdersQuery, Query()]) -> Page[OrderView]:
    """The same as `GET /api/v1/orders`."""
    return parts.listings.orders(asked.page, asked.filters)


@router.get("/history/{ref}", summary="One order with the executions of its legs")
def one(parts: Parts, ref: Ref) -> OrderDetail:
    """The same as `GET /api/v1/orders/{ref}`."""
    return parts.listings.order(ref)


@router.get("/stats", summary="How orders have fared: ends, seconds, slippage, limits")
def stats(parts: Parts) -> ExecutionStats:
    """Over the whole record."""
    return parts.monitoring.execution()
