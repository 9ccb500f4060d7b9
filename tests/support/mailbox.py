"""A real SMTP server for tests (aiosmtpd) with STARTTLS and login on a free loopback port."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope

from htbot.bootstrap.install.ports import free_port

LOGIN, PASSWORD = "desk@example.org", "secret"


@dataclass
class Mailbox:
    """Collects what arrives; `answer` is what the server says to DATA, `rcpt` to RCPT."""

    answer: str = "250 OK"
    rcpt: str = "250 OK"
    mails: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: SmtpEnvelope, address: str, _options: list[str]
    ) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: SmtpEnvelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append(envelope.content)
            self.encrypted.append(session.ssl is not None)
        return self.answer


def _authenticate(*request: Any) -> AuthResult:
    credentials = request[-1]
    right = credentials.login == LOGIN.encode() and credentials.password == PASSWORD.encode()
    return AuthResult(success=right, handled=False)


class _Controller(Controller):
    """Hangs up on whoever is still there when it stops: a half-read line must not outlive its event loop."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._sessions: list[SMTP] = []

    def factory(self) -> SMTP:
        made = super().factory()
        self._sessions.append(made)
        return made

    def stop(self, *arguments: Any, **options: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(60)
        super().stop(*arguments, **options)

    async def _hang_up(self) -> None:
        for session in self._sessions:
            if session.transport is not None:
                session.transport.abort()
        for _ in range(3):  # the loop closes what was aborted in its next turn
            await asyncio.sleep(0)


@contextmanager
def serve(mailbox: Mailbox, port: int = 0, **options: Any) -> Iterator[int]:
    """A server that runs meanwhile, and its port."""
    chosen = port or free_port()
    controller = _Controller(mailbox, hostname="127.0.0.1", port=chosen, ready_timeout=60, **options)
    controller.start()
    try:
        yield chosen
    finally:
        controller.stop()


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """The server's side of TLS, with a certificate of this run."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def guarded(context: ssl.SSLContext) -> dict[str, Any]:
    """Options of a server that demands STARTTLS and a login."""
    return {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": _authenticate}
