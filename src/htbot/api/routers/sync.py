"""Books against the broker under the seed's paths. Nothing is adopted: differences are told, and fills explain them."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Depends

from htbot.api.auth import Operator, require
from htbot.api.parts import Chosen, Parts
from htbot.api.routers.record import Asked
from htbot.persistence.queries.reconciliation import ReconciliationView
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/sync", tags=["record"], dependencies=[Depends(require(Role.VIEWER))])


@router.post("/positions", status_code=HTTPStatus.ACCEPTED, summary="Compare with the broker now")
def compare(parts: Parts, _principal: Operator) -> Asked:
    """The same as `POST /api/v1/reconciliation/run`."""
    return Asked(asked_at=parts.broker.compare())


@router.get("/status", summary="The last comparison with the broker")
def status(parts: Parts, chosen: Chosen) -> ReconciliationView:
    """The same as `GET /api/v1/reconciliation/latest`."""
    return parts.queries.reconciliation(chosen.account)
