"""What endpoints can answer besides their deed, for OpenAPI: problems (RFC 9457) by status."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from htbot.api.errors import MEDIA_TYPE

_MEANING = {
    400: "cannot be done as asked",
    403: "the role is too small, the PIN is wrong, or the host or origin is foreign",
    404: "there is no such thing; `detail` names what there is",
    409: "cannot be done in the present state: the desk is away, or the key or name is taken",
    422: "malformed, or refused by a rule",
    429: "too many wrong tokens or PINs",
    502: "the broker refused, or did not answer",
    503: "PostgreSQL, Redis or the desk does not answer; `Retry-After` says when to try again",
}


class Problem(BaseModel):
    """One line that names the thing, the value and the way out; a refusal also has rule, reason, limit and value."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no trade moon-1"}
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    rule: str | None = None
    reason: str | None = None
    limit: str | None = None
    value: str | None = None


_SCHEMA = Problem.model_json_schema()


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of an endpoint or a router: these statuses as problems."""
    return {
        status: {"description": _MEANING[status], "content": {MEDIA_TYPE: {"schema": _SCHEMA}}} for status in statuses
    }
