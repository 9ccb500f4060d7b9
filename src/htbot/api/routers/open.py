"""What needs no token: is it alive, is it ready, and how to get in. No secrets here."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from htbot import __version__
from htbot.api.pages import WELCOME_POLICY, welcome
from htbot.api.parts import Parts
from htbot.services.queries import Readiness

router = APIRouter(tags=["open"])


@router.get("/health", summary="The API answers")
def health() -> dict[str, str]:
    """Says that this process answers, nothing about the rest."""
    return {"status": "ok", "version": __version__}


@router.get("/ready", summary="Database, Redis and desk answer", responses={503: {"description": "not ready"}})
def ready(parts: Parts, response: Response) -> Readiness:
    """503 while database, Redis or desk are away; a broker session that is down is told and changes nothing."""
    found = parts.queries.readiness()
    if not found.ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return found


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
def root(parts: Parts) -> HTMLResponse:
    """What this is and how to authenticate."""
    return HTMLResponse(welcome(parts.url), headers={"Content-Security-Policy": WELCOME_POLICY})
