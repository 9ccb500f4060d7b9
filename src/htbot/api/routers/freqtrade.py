"""What users of freqtrade know by name, in its shapes as far as they mean something here."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from htbot.api.auth import Operator, require
from htbot.api.parts import Key, Parts, caller
from htbot.api.schemas.requests import ForceExitBody
from htbot.services.freqtrade import Count, Exited, PairProfit, Profit, Told
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/v1", tags=["freqtrade"], dependencies=[Depends(require(Role.VIEWER))])


@router.get("/ping", summary="The API answers")
def ping() -> dict[str, str]:
    """Behind the token here: `GET /health` is open."""
    return {"status": "pong"}


@router.get("/count", summary="Open trades, and how many there may be")
def count(parts: Parts) -> Count:
    """`total_stake` is what the open trades can lose."""
    return parts.freqtrade.count()


@router.get("/profit", summary="What the traded account has earned")
def profit(parts: Parts) -> Profit:
    """Numbers, not text: freqtrade's own spelling. Unknown is null."""
    return parts.freqtrade.profit()


@router.get("/performance", summary="What each underlying has earned")
def performance(parts: Parts) -> list[PairProfit]:
    """The best in front."""
    return parts.freqtrade.pairs()


@router.post("/forceexit", summary="Close a trade, or all of them")
def forceexit(parts: Parts, principal: Operator, body: ForceExitBody, key: Key = None) -> Exited:
    """One durable command. A part of a trade, or another type of order, cannot be asked for."""
    return parts.freqtrade.force_exit(body.tradeid, caller(principal, key))


@router.post("/stopentry", summary="Enter nothing from now on; exits go on")
def stopentry(parts: Parts, principal: Operator, key: Key = None) -> Told:
    """Pauses the scheduler; `POST /api/scheduler/resume` ends it."""
    return parts.freqtrade.stop_entry(caller(principal, key))


@router.post("/reload_config", summary="Whether settings have changed since the start")
def reload_config(parts: Parts, _principal: Operator) -> Told:
    """Instances of strategies are read anew by themselves; settings with a restart: 409 names those that changed."""
    return parts.freqtrade.reload()
