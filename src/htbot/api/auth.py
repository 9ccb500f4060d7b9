"""Bearer tokens of calls, shown to the doorman. Nothing here leaves the event loop: a door has no queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from htbot.services.doorman import Doorman, NoToken, Principal
from htbot.services.tokens import Role

OPEN = frozenset({"/", "/health", "/ready"})
"""What needs no token (RULINGS 36). The dashboard has a door of its own, WebSockets take their token as a message."""

_bearer = HTTPBearer(auto_error=False, description="the token of `.env`, or one made by `htbot token create`")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False)


class Door:
    """Finds out who calls from the head alone: whoever shows no right token has no byte of a body read."""

    def __init__(self, doorman: Doorman) -> None:
        self._doorman = doorman

    def __call__(self, scope: Scope) -> None:
        """Note the caller of an HTTP call in its scope; every path but the open ones needs one.

        Raises:
            NotAdmitted: no token, or a wrong one.
        """
        if scope["path"] in OPEN:
            return
        client = scope["client"][0] if scope.get("client") else "unknown"
        principal = self._doorman.admit(token_of(scope["headers"]), client)
        scope.setdefault("state", {})["principal"] = principal


def principal_of(scope: Scope) -> Principal | None:
    """The caller whom the door has let in, None at an open path."""
    principal: Principal | None = scope.get("state", {}).get("principal")
    return principal


def token_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token of a request, empty without one."""
    bearer = api_key = ""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, shown = value.decode("latin-1").partition(" ")
            bearer = shown.strip() if scheme.lower() == "bearer" else ""
        elif name == b"x-api-key":
            api_key = value.decode("latin-1")
    return bearer or api_key


async def _caller(
    request: Request,
    _shown: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    _key: Annotated[str | None, Security(_api_key)],
) -> Principal:
    """Whom the door has let in; the parameters are for the OpenAPI document."""
    principal = principal_of(request.scope)
    if principal is None:
        raise NoToken
    return principal


def require(needed: Role) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets a role through, or answers 403."""

    async def admitted(principal: Annotated[Principal, Depends(_caller)]) -> Principal:
        principal.require(needed)
        return principal

    return admitted


Viewer = Annotated[Principal, Depends(require(Role.VIEWER))]
Operator = Annotated[Principal, Depends(require(Role.OPERATOR))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
