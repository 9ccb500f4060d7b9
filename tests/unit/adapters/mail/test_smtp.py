"""Against a real SMTP server (aiosmtpd) with STARTTLS and login on a free loopback port."""

from __future__ import annotations

import email
import email.policy
import smtplib
import socket
import ssl
import threading
from datetime import UTC, datetime

import pytest
from tests.support.mailbox import LOGIN, PASSWORD, Mailbox, guarded, serve
from tests.support.waiting import PATIENCE_S

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


def _delivery(port: int, **login: str) -> SmtpDelivery:
    return SmtpDelivery(SmtpServer("127.0.0.1", port, timeout_s=PATIENCE_S, **login), ENVELOPE)


def test_mail_goes_out_encrypted_after_login(tls: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    with serve(mailbox, **guarded(tls)) as port:
        _delivery(port, username=LOGIN, password=PASSWORD).deliver(ALERT)
    message = email.message_from_bytes(mailbox.mails[0], policy=email.policy.default)
    assert mailbox.encrypted == [True]
    assert message["Subject"] == "HTBot Alert: Trade Entry"
    assert message["Importance"] == "high"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_wrong_password_is_told_without_the_password(tls: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    with (
        serve(mailbox, **guarded(tls)) as port,
        pytest.raises(Retryable, match=r"refused the login of 'desk@example\.org': 535") as caught,
    ):
        _delivery(port, username=LOGIN, password="not-it").deliver(ALERT)
    assert "not-it" not in str(caught.value)
    assert mailbox.mails == []


def test_loopback_relay_needs_neither_tls_nor_login() -> None:
    mailbox = Mailbox()
    with serve(mailbox) as port:
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
    with serve(mailbox) as port, pytest.raises(error, match="rejected the mail"):
        _delivery(port).deliver(ALERT)


@pytest.mark.fault(45)
def test_server_that_is_away_is_retryable() -> None:
    with serve(Mailbox()) as port:
        pass
    with pytest.raises(Retryable, match=rf"127\.0\.0\.1:{port} did not take the mail"):
        _delivery(port).deliver(ALERT)


@pytest.mark.fault(45)
def test_a_server_that_drips_is_hung_up_on() -> None:
    """Each byte comes well within the time for an answer, the answer never ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def drip() -> None:
            line, _ = listening.accept()
            with line:
                line.sendall(b"220 slow\r\n")
                while not done.wait(0.05):
                    try:
                        line.sendall(b"2")
                    except OSError:
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        server = SmtpServer("127.0.0.1", listening.getsockname()[1], timeout_s=60.0, whole_s=0.3)
        try:
            with pytest.raises(Retryable, match="did not take the mail"):
                SmtpDelivery(server, ENVELOPE).deliver(ALERT)
        finally:
            done.set()
            dripping.join(20)


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
