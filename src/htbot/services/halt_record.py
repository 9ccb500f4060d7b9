"""How a halt or a trip gets into the record: once, with its alert, its audit entry and the closing that follows.

Written by the desk, in one transaction, and harmless when written again: a halt that was seen while PostgreSQL was
away comes from a file and may come twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.alerts.message import Fact, Message, compose, new_york_stamp
from htbot.domain.alerts import Alert, Severity
from htbot.domain.orders import ExitReason
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import (
    AlertRepository,
    AuditRepository,
    CommandRepository,
    CommandRequest,
    HaltRepository,
    HaltRequest,
)
from htbot.persistence.states import HaltKind
from htbot.services.callers import JOIN_LOCK
from htbot.services.command_kinds import CLOSE_ALL, EVERY_ACCOUNT

CIRCUIT_BREAKER = "circuit_breaker"
TRIPPED_BY = "breaker"


@dataclass(frozen=True, slots=True)
class HeldHalt:
    """A halt or a trip that is in force and may not be in the record yet.

    `figures` are what a trip rests on; with `flatten` the positions of its account are closed.
    """

    request: HaltRequest
    figures: Mapping[str, str] = field(default_factory=dict)
    flatten: bool = False

    @property
    def account(self) -> str:
        """The account that a trip concerns, empty for all of them."""
        return self.request.account or ""

    @property
    def words(self) -> str:
        """As `entries_halted_by` says it."""
        return f"{self.request.kind.value} by {self.request.source}: {self.request.reason}"


def keep_halt(session: Session, held: HeldHalt) -> bool:
    """Put it in force in the record; False when it was there before or its source is in force already."""
    halts, request = HaltRepository(session), held.request
    if halts.known(request) or not halts.set(request):
        return False
    detail = {"kind": request.kind.value, "reason": request.reason, "account": held.account, **held.figures}
    audit = AuditEntry(request.set_at, request.set_by, f"{request.kind.value}.set", request.source, detail)
    AuditRepository(session).add(audit)
    if request.kind is HaltKind.BREAKER:
        AlertRepository(session).add(breaker_alert(held))
        if held.flatten:
            close_all(session, held)
    return True


def close_all(session: Session, held: HeldHalt) -> None:
    """The durable command that closes what the trip concerns; it joins one that is under way."""
    scope = held.account or EVERY_ACCOUNT
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(JOIN_LOCK))))
    commands = CommandRepository(session)
    if any(running.params.get("scope") in {scope, EVERY_ACCOUNT} for running in commands.open(CLOSE_ALL)):
        return
    request = held.request
    key = f"{TRIPPED_BY}:{request.source}:{scope}:{request.set_at.isoformat()}"
    params = {"scope": scope, "exit_reason": ExitReason.BREAKER.value}
    commands.create(CommandRequest(key, CLOSE_ALL, request.set_by, request.set_at, params))


def breaker_alert(held: HeldHalt) -> Alert:
    """The breaker has tripped, with the figures."""
    request = held.request
    after = "every position is being closed" if held.flatten else "open positions stay with their guard"
    until = "until the session ends" if request.ends_at else "until a person resets it: htbot resume --breaker"
    return compose(
        Message(
            kind=CIRCUIT_BREAKER,
            severity=Severity.CRITICAL,
            title=f"Circuit Breaker - {request.source.replace('_', ' ')}, {held.account or 'all accounts'}",
            summary=f"The breaker has tripped: {request.reason}. No entries {until}; {after}.",
            as_of=request.set_at,
            dedup_key=f"{CIRCUIT_BREAKER}:{request.source}:{held.account}:{request.set_at.isoformat()}",
            facts=[Fact("Cause", request.source), *(Fact(name, value) for name, value in held.figures.items())],
            account=held.account,
            params={"cause": request.source},
        )
    )


def flatten_incomplete_alert(account: str, left: str, since: datetime, as_of: datetime) -> Alert:
    """The breaker has closed, and the account is not flat yet; once a minute of market time."""
    return compose(
        Message(
            kind="flatten_incomplete",
            severity=Severity.CRITICAL,
            title=f"Flatten Incomplete - {account}",
            summary=f"The breaker has tripped and {account} is not flat yet: {left}.",
            as_of=as_of,
            dedup_key=f"flatten_incomplete:{account}:{as_of:%Y%m%d%H%M}",
            facts=[
                Fact("Account", account),
                Fact("Still held", left),
                Fact("Tripped at", new_york_stamp(since)),
                Fact("What to do", "compare htbot positions with the broker's own app, and close there what is left"),
            ],
            account=account,
        )
    )
