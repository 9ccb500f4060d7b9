"""Bearer tokens of requests, shown to the doorman. No dependency here leaves the event loop: a door has no queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from htbot.services.doorman import Doorman, Principal
from htbot.services.tokens import Role

_bearer = HTTPBearer(auto_error=False, description="the token of `.env`, or one made by `htbot token create`")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False)


async def _caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    api_key: Annotated[str | None, Security(_api_key)],
) -> Principal:
    doorman: Doorman = request.app.state.doorman
    client = request.client.host if request.client else "unknown"
    principal = doorman.admit(bearer.credentials if bearer else api_key, client)
    request.state.principal = principal  # the guard notes whose act it was
    return principal


def token_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token of a request, empty without one; by the same rules as the dependencies above, from raw headers."""
    bearer = api_key = ""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, shown = value.decode("latin-1").partition(" ")
            bearer = shown.strip() if scheme.lower() == "bearer" else ""
        elif name == b"x-api-key":
            api_key = value.decode("latin-1")
    return bearer or api_key


def require(needed: Role) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets a role through, or answers 401, 403 or 429."""

    async def admitted(principal: Annotated[Principal, Depends(_caller)]) -> Principal:
        principal.require(needed)
        return principal

    return admitted


Viewer = Annotated[Principal, Depends(require(Role.VIEWER))]
Operator = Annotated[Principal, Depends(require(Role.OPERATOR))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
