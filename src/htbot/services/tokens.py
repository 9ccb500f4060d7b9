"""API tokens: roles, minting, and what is kept of them (RULINGS 36)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from sqlalchemy.exc import IntegrityError

from htbot.alerts.message import Fact, Message, by_the_host, compose
from htbot.domain.alerts import Severity
from htbot.domain.errors import CallerMistake, NotFound
from htbot.persistence.engine import Database
from htbot.persistence.queries import tokens
from htbot.persistence.queries.tokens import StoredToken
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import AlertRepository, AuditRepository
from htbot.services.desk_view import RUNNING, Live, look, market_now

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_PREFIX = "htb_"
FIRST_TOKEN = "first"  # noqa: S105 - the name of a token, not a token
"""Name of the token that stands in `.env`."""
_IF_NOT_YOU = "if that was a program of yours, mend its token; if not, find out who reaches this port"


class Role(StrEnum):
    """What a token may do: look; act on the desk; manage."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: Role) -> bool:
        """True when this role includes the other."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


def digest(token: str) -> str:
    """Hex SHA-256 of a token. Tokens are 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """Minting and revoking; `host_now` is wall time, that of tokens. Acts and messages are of the market's."""

    def __init__(self, database: Database, live: Live, host_now: Callable[[], datetime]) -> None:
        self._database = database
        self._live = live
        self._host_now = host_now

    def mint(self, name: str, role: Role, actor: str) -> str:
        """A new token, shown this once.

        Raises:
            CallerMistake: the name is malformed or taken.
        """
        if not _NAME.fullmatch(name) or name == FIRST_TOKEN:
            raise CallerMistake(f"token name {name!r}: use up to 40 letters, digits, dots or dashes, not 'first'")
        token = _PREFIX + secrets.token_urlsafe(32)
        try:
            with self._database.transaction() as session:
                tokens.add(session, StoredToken(name, role.value, digest(token), self._host_now()))
                at = self._of_acts()
                AuditRepository(session).add(AuditEntry(at, actor, "token.create", name, {"role": role.value}))
        except IntegrityError as error:
            raise CallerMistake(f"there is a token {name!r} already: revoke it or choose another name") from error
        return token

    def revoke(self, name: str, actor: str) -> None:
        """End a token.

        Raises:
            NotFound: there is no such token.
        """
        with self._database.transaction() as session:
            if not tokens.revoke(session, name, self._host_now()):
                raise NotFound(f"there is no token {name!r}: `htbot token list` names them")
            at = self._of_acts()
            AuditRepository(session).add(AuditEntry(at, actor, "token.revoke", name, {}))

    def tell_lockout(self, client: str) -> None:
        """Tell a person that a client was locked out for wrong tokens; once an hour per client.

        By the host's clock while no desk that runs tells the market's.
        """
        host_now = self._host_now()
        desk = look(self._live, host_now)
        told_at = desk.market_time if desk.state == RUNNING else None
        alert = compose(
            Message(
                kind="wrong_tokens",
                severity=Severity.WARNING,
                title="Wrong API Tokens",
                summary=f"{client} sent five wrong tokens within a minute and is slowed down. None of them let it in.",
                as_of=told_at or host_now,
                dedup_key=f"wrong_tokens:{client}:{host_now:%Y%m%d%H}",
                facts=(Fact("Client", client), Fact("What to do", _IF_NOT_YOU)),
            )
        )
        with self._database.transaction() as session:
            AlertRepository(session).add(alert if told_at else by_the_host(alert))
            AuditRepository(session).add(AuditEntry(self._of_acts(), f"door:{client}", "token.lockout", client, {}))

    def active(self) -> list[StoredToken]:
        """Minted tokens that were not revoked."""
        with self._database.transaction() as session:
            return tokens.active(session)

    def _of_acts(self) -> datetime:
        return market_now(self._live, self._host_now())
