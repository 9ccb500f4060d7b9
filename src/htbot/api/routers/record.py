"""The record, page by page: audit log, alerts, evaluations, comparisons with the broker."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel

from htbot.api.auth import Operator, require
from htbot.api.parts import Chosen, Key, Parts, caller
from htbot.api.schemas.filters import (
    AlertsQuery,
    AuditQuery,
    EvaluationsQuery,
    InstancesQuery,
    ReconciliationsQuery,
)
from htbot.persistence.queries.instances import InstanceStatus
from htbot.persistence.queries.lists import AuditView, EvaluationView
from htbot.persistence.queries.paging import Page
from htbot.persistence.queries.reconciliation import ReconciliationView
from htbot.persistence.queries.shapes import AlertView
from htbot.services.audit import AuditReport, BooksReport
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/v1", tags=["record"], dependencies=[Depends(require(Role.VIEWER))])


class Asked(BaseModel):
    """Something was asked of the desk at this market time."""

    asked_at: datetime


@router.get("/audit", summary="Who did what, newest first")
def audit(parts: Parts, asked: Annotated[AuditQuery, Query()]) -> Page[AuditView]:
    """Acts of people and processes."""
    return parts.listings.audit(asked.page, asked.filters)


@router.get("/audit/verify", summary="Whether the record is as it was written")
def verify(parts: Parts) -> AuditReport:
    """Every link of both hash chains, every journaled row, every noted head; `ok` false with what is wrong."""
    return parts.audit.verify()


@router.get("/audit/books", summary="Whether the books are what the fills give")
def books(parts: Parts) -> BooksReport:
    """Positions, trades and results of days made again from fills and compared with what is stored."""
    return parts.audit.rebuild()


@router.get("/alerts", summary="Messages to people, newest first")
def alerts(parts: Parts, asked: Annotated[AlertsQuery, Query()]) -> Page[AlertView]:
    """Those of an account come with those of none."""
    return parts.listings.alerts(asked.page, asked.filters)


@router.post("/alerts/{alert_id}/ack", summary="Acknowledge an alert")
def acknowledge(
    parts: Parts, principal: Operator, alert_id: Annotated[int, Path(ge=1, le=2**63 - 1)], key: Key = None
) -> AlertView:
    """Who and when is stored; the first acknowledgement stands."""
    return parts.listings.acknowledge(alert_id, caller(principal, key))


@router.get("/evaluations", summary="What was decided in each cycle and why not, newest first")
def evaluations(parts: Parts, asked: Annotated[EvaluationsQuery, Query()]) -> Page[EvaluationView]:
    """Where a signal fired, it comes with what every rule of the gate compared."""
    return parts.listings.evaluations(asked.page, asked.filters)


@router.get("/strategies", summary="Instances of strategies by name, and how each stands")
def instances(parts: Parts, asked: Annotated[InstancesQuery, Query()]) -> Page[InstanceStatus]:
    """Enabled or not; `GET /api/strategies/{name}` has the settings of one."""
    return parts.listings.instances(asked.page, asked.filters)


@router.get("/reconciliation", summary="Comparisons with the broker, newest first")
def reconciliations(parts: Parts, asked: Annotated[ReconciliationsQuery, Query()]) -> Page[ReconciliationView]:
    """Those that were worth keeping: what was found had changed."""
    return parts.listings.reconciliations(asked.page, asked.filters)


@router.get("/reconciliation/latest", summary="The last comparison with the broker")
def latest(parts: Parts, chosen: Chosen) -> ReconciliationView:
    """Verdict, counts, and what did not match."""
    return parts.queries.reconciliation(chosen.account)


@router.post(
    "/reconciliation/run",
    status_code=HTTPStatus.ACCEPTED,
    summary="Compare with the broker now",
)
def compare(parts: Parts, _principal: Operator) -> Asked:
    """The desk does it with its next chore, and stores the run when what is found has changed. It never trades."""
    return Asked(asked_at=parts.broker.compare())
