"""Who looks: a signed cookie that stands for a token, and counts for as long as the token does (RULINGS 36).

The cookie carries the hash of the token, never the token. It is signed with a key made of the first token, so that a
session outlives a restart of the API, and every replica reads it; a token that is revoked ends its sessions within a
second.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from itsdangerous import BadData, URLSafeSerializer

from htbot.dashboard.ended import EndedSessions
from htbot.services.doorman import Doorman, Principal, TokenBook, UnknownToken
from htbot.services.tokens import digest

COOKIE = "htbot_session"
PATH = "/dashboard"
LONGEST_S = 12 * 3600
"""A session ends after half a day, whatever happens."""
WAY = "dashboard"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in."""

    session_id: str
    sha256: str
    ends_at_s: float
    client: str


class Sessions:
    """Makes, reads and ends sessions; `now_s` is wall time in epoch seconds.

    `ended_file` remembers who has logged out; without it this process does.
    """

    def __init__(
        self,
        doorman: Doorman,
        first_token: str,
        now_s: Callable[[], float] = time.time,
        ended_file: Path | None = None,
    ) -> None:
        key = hashlib.sha256(b"htbot dashboard session\0" + first_token.encode()).hexdigest()
        self._signer = URLSafeSerializer(key, salt="htbot.session")
        self._doorman = doorman
        self._book: TokenBook = doorman.book
        self._now_s = now_s
        self._ended = EndedSessions(ended_file, now_s)

    def begin(self, token: str, client: str) -> str:
        """The cookie of a new session.

        Raises:
            NotAdmitted: the token is not known, or the client has shown too many wrong ones.
        """
        self._doorman.admit(token, client)
        return str(self._signer.dumps([secrets.token_urlsafe(16), digest(token), self._now_s() + LONGEST_S]))

    def visitor(self, cookies: Mapping[str, str], client: str) -> Visitor | None:
        """Who sent these cookies; None without a session that counts."""
        try:
            session_id, sha256, ends_at_s = self._signer.loads(cookies.get(COOKIE, ""))
        except (BadData, ValueError, TypeError):
            return None
        visitor = Visitor(session_id, sha256, ends_at_s, client)
        return visitor if self._counts(visitor) else None

    def principal(self, visitor: Visitor) -> Principal:
        """Name and role of a visitor, as they are now.

        Raises:
            UnknownToken: the session has ended: logged out, too old, or its token was revoked.
        """
        held = self._book.holder(visitor.sha256) if self._counts(visitor) else None
        if held is None:
            raise UnknownToken
        return Principal(*held, way=WAY, client=visitor.client)

    def end(self, visitor: Visitor) -> None:
        """Log out: the cookie counts no more, whoever kept it."""
        self._ended.add(visitor.session_id, visitor.ends_at_s)

    def _counts(self, visitor: Visitor) -> bool:
        alive = visitor.session_id not in self._ended and self._now_s() < visitor.ends_at_s
        return alive and self._book.holder(visitor.sha256) is not None
