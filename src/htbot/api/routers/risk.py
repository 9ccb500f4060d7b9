"""Risk: rules with their limits, the breaker, halts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from htbot.api.auth import Admin, Operator, require
from htbot.api.parts import Chosen, Key, Parts, caller
from htbot.api.schemas.filters import ACCOUNT, HaltsQuery
from htbot.api.schemas.requests import HaltBody, PinBody
from htbot.persistence.queries.paging import Page
from htbot.persistence.queries.shapes import HaltView
from htbot.persistence.records import Halt
from htbot.services.halting import HaltAnswer
from htbot.services.risk_rules import RuleView
from htbot.services.risk_view import RiskView
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/v1", tags=["risk"], dependencies=[Depends(require(Role.VIEWER))])


@router.get("/risk", summary="Every rule of the gate with its limit and its value")
def rules(parts: Parts) -> list[RuleView]:
    """In the order in which the gate asks; the value is of now, or of the last decision that reached the rule."""
    return parts.risk_rules.rules()


@router.get("/risk/metrics", summary="The breaker: day's P&L, limits, drawdown, what has tripped")
def metrics(parts: Parts, chosen: Chosen) -> RiskView:
    """Risk figures of an account."""
    return parts.queries.risk(chosen.account)


@router.get("/risk/halts", summary="Why nothing is originated now")
def in_force(parts: Parts) -> list[HaltView]:
    """Halts and trips in force, the STOP file included; `[]` when there are none."""
    return parts.queries.halts()


@router.post("/risk/kill-switch", summary="Originate nothing from now on; closes go on")
@router.post("/halts", summary="Originate nothing from now on; closes go on")
def halt(parts: Parts, principal: Operator, body: HaltBody, key: Key = None) -> HaltAnswer:
    """The same as `POST /halt`."""
    return parts.commands.halt(body.reason, caller(principal, key), body.account)


@router.delete("/risk/kill-switch", summary="Lift the halts that people set")
@router.delete("/halts", summary="Lift the halts that people set")
def lift(
    parts: Parts,
    principal: Operator,
    account: Annotated[str | None, Query(pattern=ACCOUNT, description="its own halts only; default: all")] = None,
    key: Key = None,
) -> HaltAnswer:
    """The same as `POST /resume`: a STOP file made by hand and trips stay, and are named."""
    return parts.commands.resume(caller(principal, key), account)


@router.get("/halts", summary="Halts and trips, newest first, in force or not")
def halts(parts: Parts, asked: Annotated[HaltsQuery, Query()]) -> Page[Halt]:
    """Those that are in the record; the STOP file by itself is in `GET /api/v1/risk/halts`."""
    return parts.listings.halts(asked.page, asked.filters)


@router.post("/risk/breaker/reset", summary="Lift the trips of the breaker")
@router.post("/risk/reset-circuit-breaker", summary="Lift the trips of the breaker")
def reset(parts: Parts, principal: Admin, body: PinBody, key: Key = None) -> HaltAnswer:
    """Needs the PIN. Equity and day are judged from where they stand now; halts of people stay."""
    return parts.commands.reset_breaker(caller(principal, key), body.pin.get_secret_value())
