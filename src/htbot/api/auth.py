"""Who is calling: bearer tokens, roles, and a brake on guessing (RULINGS 36).

A right token always gets through, locked out or not: a flatten must not wait behind somebody else's wrong guesses, and
256 random bits are not guessed at five tries a minute nor at any other rate. The brake keeps a wrong client from being
served and says so once.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from htbot.domain.errors import Retryable
from htbot.persistence.queries.tokens import StoredToken
from htbot.services.tokens import FIRST_TOKEN, Role, digest

MOST_WRONG_TRIES = 5
WINDOW_S = 60.0
REFRESH_S = 5.0
_MOST_CLIENTS = 1000
_log = logging.getLogger(__name__)

_bearer = HTTPBearer(auto_error=False, description="the token of `.env`, or one made by `htbot token create`")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """The token behind a call."""

    name: str
    role: Role

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"rest:{self.name}"


class TokenBook:
    """The tokens that count: the first one, and the minted ones as they were last read.

    The record is asked again after `REFRESH_S`; while it does not answer, what was read before counts.
    """

    def __init__(
        self, first: str, minted: Callable[[], Iterable[StoredToken]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first = digest(first)
        self._minted = minted
        self._clock = clock
        self._known: tuple[StoredToken, ...] = ()
        self._read_at: float | None = None
        self._lock = threading.Lock()

    def find(self, token: str) -> Principal | None:
        """Whose token this is. Every known hash is compared, in constant time each."""
        given = digest(token)
        found = Principal(FIRST_TOKEN, Role.ADMIN) if hmac.compare_digest(given, self._first) else None
        if found is not None:
            return found
        for stored in self._current():
            if hmac.compare_digest(given, stored.sha256):
                found = Principal(stored.name, Role(stored.role))
        return found

    def _current(self) -> tuple[StoredToken, ...]:
        with self._lock:
            now = self._clock()
            if self._read_at is None or now - self._read_at >= REFRESH_S:
                self._read_at = now
                try:
                    self._known = tuple(self._minted())
                except Retryable as error:
                    _log.warning("minted tokens are those read before: %s", error)
            return self._known


class Brake:
    """Counts wrong tries per client; more than five in a minute lock it out until the oldest is a minute old."""

    def __init__(self, on_lock: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_lock = on_lock
        self._clock = clock
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wrong(self, client: str) -> float | None:
        """Note a wrong try; seconds to wait when the client is locked out, else None."""
        with self._lock:
            now = self._clock()
            tries = self._tries.setdefault(client, deque(maxlen=MOST_WRONG_TRIES))
            self._tries.move_to_end(client)
            while len(self._tries) > _MOST_CLIENTS:
                self._tries.popitem(last=False)
            while tries and now - tries[0] >= WINDOW_S:
                tries.popleft()
            if len(tries) == MOST_WRONG_TRIES:
                return WINDOW_S - (now - tries[0])
            tries.append(now)
            locked_now = len(tries) == MOST_WRONG_TRIES
        if locked_now:
            self._on_lock(client)
        return None


@dataclass(frozen=True, slots=True)
class Doorman:
    """Book and brake together."""

    book: TokenBook
    brake: Brake

    def admit(self, token: str | None, client: str) -> Principal:
        """The caller behind a token.

        Raises:
            HTTPException: 401 without a right token, 429 after too many wrong ones.
        """
        if not token:
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "no token: send 'Authorization: Bearer TOKEN' or 'X-API-Key: TOKEN'; the first one is HTBOT_API_TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        found = self.book.find(token)
        if found is not None:
            return found
        wait_s = self.brake.wrong(client)
        if wait_s is not None:
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"too many wrong tokens: wait {wait_s:.0f} s, or send the right one",
                {"Retry-After": f"{wait_s:.0f}"},
            )
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "this token is not known", {"WWW-Authenticate": "Bearer"})


def _caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    api_key: Annotated[str | None, Security(_api_key)],
) -> Principal:
    doorman: Doorman = request.app.state.doorman
    client = request.client.host if request.client else "unknown"
    return doorman.admit(bearer.credentials if bearer else api_key, client)


def require(needed: Role) -> Callable[..., Principal]:
    """A dependency that lets a role through, or answers 401 or 403."""

    def admitted(principal: Annotated[Principal, Depends(_caller)]) -> Principal:
        admit(principal, needed)
        return principal

    return admitted


def admit(principal: Principal, needed: Role) -> None:
    """Let a role through.

    Raises:
        HTTPException: 403, it is too small.
    """
    if not principal.role.may(needed):
        raise HTTPException(
            HTTPStatus.FORBIDDEN, f"token {principal.name!r} is a {principal.role}'s: this needs role {needed}"
        )


Viewer = Annotated[Principal, Depends(require(Role.VIEWER))]
Operator = Annotated[Principal, Depends(require(Role.OPERATOR))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
