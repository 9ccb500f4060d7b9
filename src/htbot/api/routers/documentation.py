"""The reference, behind the token: a page for people, OpenAPI for programs.

A browser cannot send a token, so it is sent on to the same below the dashboard's path, whose session cookie is valid
there and nowhere else (RULINGS 36). What is tried out there needs a token all the same: the cookie acts for nobody.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

from htbot.api.auth import require
from htbot.api.pages import REFERENCE_POLICY, reference
from htbot.api.parts import Parts
from htbot.api.rooms import DASHBOARD_PATH
from htbot.dashboard.gate import VISITOR
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


async def _inside(request: Request) -> None:
    """The dashboard's gate lets nobody in without a session; should it be missing, nobody is in."""
    if VISITOR not in request.scope:
        raise HTTPException(401, "log in first")


in_browser = APIRouter(prefix=DASHBOARD_PATH, dependencies=[Depends(_inside)], include_in_schema=False)
"""The same for whoever is logged in to the dashboard; every role may read it."""


@in_browser.get("/docs", response_class=HTMLResponse)
async def swagger() -> HTMLResponse:
    """Swagger UI of this machine: it asks for a token before it calls anything."""
    shown = {"docExpansion": "none", "persistAuthorization": False, "filter": True, "validatorUrl": None}
    return get_swagger_ui_html(
        openapi_url=f"{DASHBOARD_PATH}/openapi.json",
        title="htbot REST API",
        swagger_js_url=f"{DASHBOARD_PATH}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{DASHBOARD_PATH}/docs/swagger-ui.css",
        swagger_favicon_url=f"{DASHBOARD_PATH}/static/icon.svg",
        swagger_ui_parameters=shown,
    )


@in_browser.get("/docs/{name}")
async def swagger_file(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> FileResponse:
    """What it is made of, from the package that carries it."""
    return FileResponse(Path(str(files("fastapi_offline"))) / "static" / name)


in_browser.get("/openapi.json")(openapi)
