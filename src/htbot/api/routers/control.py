"""What acts: role operator. Everything is written down; the desk does it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path

from htbot.api.auth import Operator
from htbot.api.parts import Key, Parts, caller, propose
from htbot.api.schemas.requests import HaltBody, ResumeBody, TradeSignalBody
from htbot.services.callers import Accepted
from htbot.services.command_kinds import EVERY_ACCOUNT
from htbot.services.halting import HaltAnswer
from htbot.services.manual_signal import ManualAnswer
from htbot.services.tokens import Role

router = APIRouter(tags=["control"])


@router.post("/halt", summary="Originate nothing from now on; closes go on")
def halt(parts: Parts, principal: Operator, body: HaltBody, key: Key = None) -> HaltAnswer:
    """Halts by file and by row, so that it holds with PostgreSQL dead; a single account by row only."""
    return parts.commands.halt(body.reason, caller(principal, key), body.account)


@router.post("/resume", summary="Lift the halts that people set; a STOP file made by hand stays")
def resume(parts: Parts, principal: Operator, body: ResumeBody | None = None, key: Key = None) -> HaltAnswer:
    """Lifts halts, and says what still halts. With `breaker` it lifts trips instead: role admin, and the PIN."""
    if body is None or not body.breaker:
        return parts.commands.resume(caller(principal, key), None if body is None else body.account)
    principal.require(Role.ADMIN)
    pin = None if body.pin is None else body.pin.get_secret_value()
    return parts.commands.reset_breaker(caller(principal, key), pin, body.account)


@router.post("/close/all", status_code=HTTPStatus.ACCEPTED, summary="Close every position")
def close_all(parts: Parts, principal: Operator, key: Key = None) -> Accepted:
    """One command; without a key it joins one that is under way."""
    return parts.commands.close(EVERY_ACCOUNT, caller(principal, key))


@router.post("/close/{follower_id}", status_code=HTTPStatus.ACCEPTED, summary="Close every position of an account")
def close_account(
    parts: Parts,
    principal: Operator,
    follower_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="the account's code")],
    key: Key = None,
) -> Accepted:
    """One command; without a key it joins one that is under way."""
    return parts.commands.close(follower_id, caller(principal, key))


@router.post("/orders/{ref}/cancel", status_code=HTTPStatus.ACCEPTED, summary="Cancel a working order")
def cancel(
    parts: Parts,
    principal: Operator,
    ref: Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,128}$")],
    key: Key = None,
) -> Accepted:
    """One command."""
    return parts.commands.cancel(ref, caller(principal, key))


@router.post(
    "/trade/signal",
    status_code=HTTPStatus.ACCEPTED,
    summary="Propose a vertical spread; it passes the same gate as every signal",
    responses={422: {"description": "refused, with rule, limit and value"}},
)
def trade_signal(parts: Parts, principal: Operator, body: TradeSignalBody, key: Key = None) -> ManualAnswer:
    """202 with the decision; 422 when a rule refuses."""
    return propose(parts, principal, body, key)
