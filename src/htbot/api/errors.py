"""Errors as problem+json (RFC 9457): one line that names the thing, the value and the way out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from htbot.domain.errors import CallerMistake, ConfigurationError, HtbotError, NotFound, Refused, Retryable
from htbot.services.callers import Conflict
from htbot.services.doorman import LockedOut, NotAdmitted, RoleTooSmall
from htbot.services.pin import PinLocked, PinRefused

MEDIA_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[HtbotError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (PinRefused, HTTPStatus.FORBIDDEN),
    (PinLocked, HTTPStatus.TOO_MANY_REQUESTS),
    (LockedOut, HTTPStatus.TOO_MANY_REQUESTS),
    (NotAdmitted, HTTPStatus.UNAUTHORIZED),
    (RoleTooSmall, HTTPStatus.FORBIDDEN),
    (CallerMistake, HTTPStatus.BAD_REQUEST),
    (ConfigurationError, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Retryable, HTTPStatus.SERVICE_UNAVAILABLE),
)
_log = logging.getLogger(__name__)


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, fields: Mapping[str, Any] | None = None
) -> JSONResponse:
    """A problem answer; `fields` are further members such as rule, limit and value."""
    known = status in set(HTTPStatus)
    title = HTTPStatus(status).phrase if known else "Error"
    body = {"type": "about:blank", "title": title, "status": status, "detail": one_line(detail), **(fields or {})}
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem."""
    app.add_exception_handler(HtbotError, _on_htbot_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(SQLAlchemyError, _on_unexpected)
    app.add_exception_handler(Exception, _on_unexpected)


def problem_of(error: HtbotError) -> JSONResponse:
    """The answer to an error of ours; one that has no status of its own is a failure of htbot."""
    status = _status_of(error) or HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, Refused):
        fields = {"rule": error.rule, "reason": error.reason, "limit": error.limit, "value": error.value}
        return problem(status, str(error), fields=fields)
    return problem(status, str(error), headers=_headers(error))


def _status_of(error: Exception) -> HTTPStatus | None:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), None)


async def _on_htbot_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HtbotError) or _status_of(error) is None:
        return await _on_unexpected(request, error)
    return problem_of(error)


def _headers(error: Exception) -> dict[str, str]:
    """What a program needs to know besides the status."""
    if isinstance(error, LockedOut):
        return {"Retry-After": f"{error.wait_s:.0f}"}
    if isinstance(error, NotAdmitted):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": "5"} if isinstance(error, Retryable) else {}


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return problem(error.status_code, str(error.detail), headers=error.headers)


async def _on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(_explain(error.errors())[:5]))


def _explain(details: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each mistake as `field: what is wrong`, without the value: it may be anything."""
    lines = []
    for detail in details:
        place = ".".join(str(part) for part in detail["loc"] if part != "body") or "body"
        lines.append(f"{place}: {detail['msg'][:200]}")
    return lines


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Something broke here: the log has the cause, the caller has the path to name."""
    _log.error("%s %s failed", request.method, one_line(request.url.path), exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "htbot failed to answer; the cause is in var/log/api.log")
