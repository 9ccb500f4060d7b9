"""Against a real SMTP server (aiosmtpd) with STARTTLS and login on a free loopback port."""

from __future__ import annotations

import email
import email.policy
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope

from htbot.adapters.mail.message import Envelope
from htbot.adapters.mail.smtp import SmtpDelivery, SmtpServer
from htbot.domain.alerts import Alert, Severity
from htbot.domain.errors import Refused, Retryable

ENVELOPE = Envelope("desk@example.org", ("person@example.org",))
ALERT = Alert(
    kind="entry",
    severity=Severity.CRITICAL,
    subject="Trade Entry",
    text="text",
    html="<p>html</p>",
    as_of=datetime(2022, 8, 26, 14, tzinfo=UTC),
    dedup_key="entry:1",
)


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
    right = credentials.login == b"desk" and credentials.password == b"secret"
    return AuthResult(success=right, handled=False)


@contextmanager
def _serve(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("localhost.pem"))
    return context


def _delivery(port: int, **login: str) -> SmtpDelivery:
    return SmtpDelivery(SmtpServer("127.0.0.1", port, timeout_s=5.0, **login), ENVELOPE)


def _guarded(tls: ssl.SSLContext) -> dict[str, Any]:
    return {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": _authenticate}


def test_mail_goes_out_encrypted_after_login(tls: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    with _serve(mailbox, **_guarded(tls)) as port:
        _delivery(port, username="desk", password="secret").deliver(ALERT)
    message = email.message_from_bytes(mailbox.mails[0], policy=email.policy.default)
    assert mailbox.encrypted == [True]
    assert message["Subject"] == "HTBot Alert: Trade Entry"
    assert message["Importance"] == "high"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_wrong_password_is_told_without_the_password(tls: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    with (
        _serve(mailbox, **_guarded(tls)) as port,
        pytest.raises(Retryable, match="refused the login of 'desk': 535") as caught,
    ):
        _delivery(port, username="desk", password="not-it").deliver(ALERT)
    assert "not-it" not in str(caught.value)
    assert mailbox.mails == []


def test_loopback_relay_needs_neither_tls_nor_login() -> None:
    mailbox = Mailbox()
    with _serve(mailbox) as port:
        _delivery(port).deliver(ALERT)
    assert len(mailbox.mails) == 1
    assert mailbox.encrypted == [False]


@pytest.mark.parametrize(
    ("mailbox", "error"),
    [
        (Mailbox(answer="550 5.7.1 spam"), Refused),
        (Mailbox(answer="451 4.3.0 later"), Retryable),
        (Mailbox(rcpt="550 5.1.1 nobody"), Refused),
        (Mailbox(rcpt="450 4.2.1 busy"), Retryable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.answer}/{value.rcpt}",
)
@pytest.mark.fault(45)
def test_servers_answer_decides_whether_it_is_tried_again(mailbox: Mailbox, error: type[Exception]) -> None:
    with _serve(mailbox) as port, pytest.raises(error, match="rejected the mail"):
        _delivery(port).deliver(ALERT)


@pytest.mark.fault(45)
def test_server_that_is_away_is_retryable() -> None:
    with _serve(Mailbox()) as port:
        pass
    with pytest.raises(Retryable, match=rf"127\.0\.0\.1:{port} did not take the mail"):
        _delivery(port).deliver(ALERT)


def test_network_host_is_verified_and_loopback_is_not() -> None:
    assert SmtpDelivery(SmtpServer("127.0.0.1"), ENVELOPE)._context().verify_mode is ssl.CERT_NONE
    assert SmtpDelivery(SmtpServer("smtp.example.org"), ENVELOPE)._context().verify_mode is ssl.CERT_REQUIRED
    assert SmtpServer("::1").is_loopback
    assert not SmtpServer("10.0.0.1").is_loopback


def test_plain_text_is_refused_over_a_network() -> None:
    class Plain:
        def ehlo(self) -> None: ...

        def has_extn(self, _name: str) -> bool:
            return False

    with pytest.raises(smtplib.SMTPException, match="no STARTTLS"):
        SmtpDelivery(SmtpServer("smtp.example.org"), ENVELOPE)._log_in(Plain())


def test_password_is_not_in_repr() -> None:
    assert "secret" not in repr(SmtpServer("h", password="secret"))
