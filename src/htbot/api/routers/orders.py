"""Orders and positions, page by page; cancelling and closing one of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from htbot.api.auth import Operator, require
from htbot.api.parts import Key, Parts, caller
from htbot.api.schemas.filters import OrdersQuery, PositionsQuery
from htbot.api.schemas.requests import SettleBody
from htbot.persistence.queries.paging import Page
from htbot.persistence.queries.shapes import OrderView, PositionView
from htbot.services.callers import Accepted
from htbot.services.command_kinds import EVERY_ACCOUNT
from htbot.services.listings import OrderDetail
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/v1", tags=["orders"], dependencies=[Depends(require(Role.VIEWER))])
Ref = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,128}$", description="the order's reference")]
TradeId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,128}$", description="the trade that holds the position")]


@router.get("/orders", summary="Orders at the broker, newest first")
def orders(parts: Parts, asked: Annotated[OrdersQuery, Query()]) -> Page[OrderView]:
    """Prices signed as IB's: negative = receive."""
    return parts.listings.orders(asked.page, asked.filters)


@router.post("/orders/cancel-all", status_code=HTTPStatus.ACCEPTED, summary="Cancel every working order")
def cancel_all(parts: Parts, principal: Operator, key: Key = None) -> Accepted:
    """One command. Closes that work are cancelled too: use `POST /close/all` to get out."""
    return parts.commands.cancel(EVERY_ACCOUNT, caller(principal, key))


@router.get("/orders/{ref}", summary="One order with the executions of its legs")
def order(parts: Parts, ref: Ref) -> OrderDetail:
    """An order."""
    return parts.listings.order(ref)


@router.post(
    "/orders/{ref}/cancel",
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel a working order",
)
def cancel(parts: Parts, principal: Operator, ref: Ref, key: Key = None) -> Accepted:
    """One command."""
    return parts.commands.cancel(ref, caller(principal, key))


@router.get("/positions", summary="What is held, by account and contract")
def positions(parts: Parts, asked: Annotated[PositionsQuery, Query()]) -> Page[PositionView]:
    """Without marks: `GET /positions` has those."""
    return parts.listings.positions(asked.page, asked.filters)


@router.post(
    "/positions/{trade_id}/close",
    status_code=HTTPStatus.ACCEPTED,
    summary="Close one trade",
)
def close(parts: Parts, principal: Operator, trade_id: TradeId, key: Key = None) -> Accepted:
    """All legs of it, and an entry of it that still works. Without a key it joins a close that is under way."""
    return parts.commands.close_trade(trade_id, caller(principal, key))


@router.post(
    "/trades/{trade_id}/settle",
    status_code=HTTPStatus.ACCEPTED,
    summary="Book an expired trade at prices that its broker has not told",
)
def settle(parts: Parts, principal: Operator, trade_id: TradeId, body: SettleBody, key: Key = None) -> Accepted:
    """One command, for a trade whose options have expired, or whose shares somebody sold: gone at the broker."""
    if body.price is None:
        return parts.settling.close_legs(trade_id, body.legs or {}, caller(principal, key), force=body.force)
    who = caller(principal, key)
    return parts.settling.settle(trade_id, body.price, who, quantity=body.quantity, force=body.force)
