"""The way in and out: a page without scripts that takes a token, and a button that forgets it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from htbot.dashboard.gate import BACK, LOGIN, VISITOR, way_back
from htbot.dashboard.parts.markup import tag
from htbot.dashboard.session import COOKIE, LONGEST_S, PATH, Sessions
from htbot.services.doorman import LockedOut, NotAdmitted

router = APIRouter(prefix=PATH, include_in_schema=False)
STYLE = f"{PATH}/static/dashboard.css"


@router.get("/login")
async def show(request: Request) -> Response:
    """The form; somebody who is in goes on to what he wanted, by default the desk."""
    back = way_back(request.query_params.get(BACK, ""))
    return RedirectResponse(back, HTTPStatus.SEE_OTHER) if VISITOR in request.scope else _page(back=back)


@router.post("/login")
async def log_in(
    request: Request,
    token: Annotated[str, Form(max_length=512)] = "",
    wanted: Annotated[str, Form(alias=BACK, max_length=2048)] = "",
) -> Response:
    """A right token becomes a session, and the page that was wanted is shown."""
    back = way_back(wanted)
    sessions: Sessions = request.app.state.sessions
    client = request.client.host if request.client else "unknown"
    try:
        cookie = sessions.begin(token.strip(), client)
    except LockedOut as error:
        told = f"Too many wrong tokens from this address: wait {error.wait_s:.0f} s, or enter the right one."
        return _page(told, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": f"{error.wait_s:.0f}"}, back)
    except NotAdmitted:
        told = "This token is not known. htbot token list names those that count."
        return _page(told, HTTPStatus.UNAUTHORIZED, back=back)
    answer = RedirectResponse(back, HTTPStatus.SEE_OTHER)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, cookie, max_age=LONGEST_S, path=PATH, secure=secure, httponly=True, samesite="strict")
    return answer


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """The session counts no more, also for who copied its cookie."""
    sessions: Sessions = request.app.state.sessions
    sessions.end(request.scope[VISITOR])
    answer = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")
    return answer


def _page(
    trouble: str = "", status: int = HTTPStatus.OK, headers: dict[str, str] | None = None, back: str = f"{PATH}/"
) -> HTMLResponse:
    told = tag("p", trouble, role="alert", cls="trouble", id="trouble") if trouble else None
    form = tag(
        "form",
        tag("label", "Token", for_="token"),
        tag(
            "input", id="token", name="token", type="password", autocomplete="current-password", required=True,
            autofocus=True, maxlength=512, aria_describedby="hint trouble" if trouble else "hint",
        ),
        told,
        tag("input", type="hidden", name=BACK, value=back) if back != f"{PATH}/" else None,
        tag("button", "Log in", type="submit", cls="button primary"),
        tag(
            "p", "The first token is HTBOT_API_TOKEN in ", tag("code", ".env"), "; others are made by ",
            tag("code", "htbot token create"), ".", cls="hint", id="hint",
        ),
        method="post", action=LOGIN,
    )  # fmt: skip
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", "Log in · htbot"),
        tag("link", rel="icon", href=f"{PATH}/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href=STYLE),
    )
    body = tag("body", tag("main", tag("h1", "htbot"), form, cls="login"), cls="login-page")
    html = Markup("<!doctype html>") + tag("html", head, body, lang="en")
    return HTMLResponse(str(html), status, headers)
