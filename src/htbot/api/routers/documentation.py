"""The reference, behind the token: a page for people, OpenAPI for programs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from htbot.api.auth import require
from htbot.api.pages import REFERENCE_POLICY, reference
from htbot.api.parts import Parts
from htbot.services.tokens import Role

router = APIRouter(dependencies=[Depends(require(Role.VIEWER))], include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
def docs(request: Request, parts: Parts) -> HTMLResponse:
    """Every endpoint on one page, without scripts."""
    page = reference(request.app.openapi(), parts.url)
    return HTMLResponse(page, headers={"Content-Security-Policy": REFERENCE_POLICY})


@router.get("/openapi.json")
def openapi(request: Request) -> dict[str, Any]:
    """The OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document
