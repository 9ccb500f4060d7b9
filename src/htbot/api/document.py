"""The OpenAPI document: FastAPI's own, every refusal that an endpoint can answer, and an example of each answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from htbot.api.errors import MEDIA_TYPE
from htbot.api.examples import add_examples

_EVERYWHERE = {
    HTTPStatus.BAD_REQUEST: "what was sent cannot be read, or not be done as asked",
    HTTPStatus.FORBIDDEN: "host or origin is foreign, the role too small, or the PIN wrong",
    HTTPStatus.REQUEST_TIMEOUT: "the request did not come whole in time",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "the body is packed",
    HTTPStatus.UNPROCESSABLE_ENTITY: "a field is wrong, or a rule refuses: then with rule, reason, limit and value",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "the headers are too large",
    HTTPStatus.SERVICE_UNAVAILABLE: "PostgreSQL or Redis does not answer, or too many calls are before this one",
}
_BEHIND_THE_DOOR = {
    HTTPStatus.UNAUTHORIZED: "no token, or one that is not known",
    HTTPStatus.NOT_FOUND: "what was named does not exist",
    HTTPStatus.CONFLICT: "it cannot be done in the present state, such as without a desk",
    HTTPStatus.TOO_MANY_REQUESTS: "too many wrong tokens or PINs",
}
_PROBLEM = {
    "title": "Problem",
    "description": "An error (RFC 9457): one line that names the thing, the value and the way out.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "rule": {"type": "string"},
        "reason": {"type": "string"},
        "limit": {"type": "string"},
        "value": {"type": "string"},
    },
}
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")


class DocumentedApi(FastAPI):
    """A FastAPI whose document also says how calls are refused."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            made = super().openapi()
            add_refusals(made)
            add_examples(made)
        document: dict[str, Any] = self.openapi_schema or {}
        return document


def add_refusals(document: dict[str, Any]) -> None:
    """Add them in place. What an endpoint says of a success of its own stays."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for name in _FASTAPIS_OWN:
        schemas.pop(name, None)
    refusals = _EVERYWHERE | _BEHIND_THE_DOOR
    components["responses"] = {status.name.lower(): _response(text) for status, text in refusals.items()}
    for operations in document["paths"].values():
        for method, operation in operations.items():
            if method in _METHODS:
                _complete(operation)


def _complete(operation: dict[str, Any]) -> None:
    chosen = _EVERYWHERE | (_BEHIND_THE_DOOR if operation.get("security") else {})
    told = operation.setdefault("responses", {})
    for status in chosen:
        mine = told.get(str(status.value), {})
        if "content" not in mine or status is HTTPStatus.UNPROCESSABLE_ENTITY:
            told[str(status.value)] = {"$ref": f"#/components/responses/{status.name.lower()}"}


def _response(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
