"""Delivery by SMTP: STARTTLS (or TLS from the start on port 465) and login."""

from __future__ import annotations

import ipaddress
import os
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from htbot.adapters.mail.message import Envelope, compose
from htbot.domain.alerts import Alert
from htbot.domain.errors import Refused, Retryable

IMPLICIT_TLS_PORT = 465


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in. An empty `username` means no login; `password` never appears in `repr`.

    `timeout_s` is for one answer of the server, `whole_s` for the whole conversation, however slowly it drips.
    """

    host: str
    port: int = 587
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 10.0
    whole_s: float = 20.0

    @property
    def is_loopback(self) -> bool:
        """True when no network lies between: a certificate proves nothing there, plain text is overheard by none."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class SmtpDelivery:
    """Sends one alert per connection; a mail server that is away is `Retryable`, one that says no is `Refused`."""

    name = "smtp"

    def __init__(self, server: SmtpServer, envelope: Envelope) -> None:
        self._server = server
        self._envelope = envelope

    def deliver(self, alert: Alert) -> None:
        """Hand one alert to the mail server.

        Raises:
            Refused: the message is malformed, or the server rejected it for good (5xx).
            Retryable: the server could not be reached, or asked to try later.
        """
        message = compose(alert, self._envelope, datetime.now(UTC))
        where = f"{self._server.host}:{self._server.port}"
        try:
            with self._connect() as connection, _cut_after(connection, self._server.whole_s):
                self._log_in(connection)
                unreached = connection.send_message(message, self._envelope.sender, list(self._envelope.recipients))
        except smtplib.SMTPAuthenticationError as error:
            raise Retryable(f"{where} refused the login of {self._server.username!r}: {_words(error)}") from error
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused) as error:
            raise _rejection(where, error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Retryable(f"{where} did not take the mail: {_words(error)}") from error
        if unreached:
            raise Refused("mail_recipient", f"{where} refused {', '.join(sorted(unreached))}; the others were served")

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.port == IMPLICIT_TLS_PORT:
            return smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=self._context())
        return smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)

    def _log_in(self, connection: smtplib.SMTP) -> None:
        connection.ehlo()
        encrypted = self._server.port == IMPLICIT_TLS_PORT
        if not encrypted and connection.has_extn("starttls"):
            connection.starttls(context=self._context())
            connection.ehlo()
            encrypted = True
        if not encrypted and not self._server.is_loopback:
            raise smtplib.SMTPException("it offers no STARTTLS, and nothing is sent over a network in plain text")
        if self._server.username:
            connection.login(self._server.username, self._server.password)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._server.is_loopback:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@contextmanager
def _cut_after(connection: smtplib.SMTP, whole_s: float) -> Iterator[None]:
    """Hang up when the time is over: whoever waits for an answer then gets an error at once.

    A second handle of the same line is kept for that, because STARTTLS replaces the connection's own.
    """
    own = connection.sock
    if own is None:
        raise smtplib.SMTPServerDisconnected("it hung up at once")
    with socket.socket(fileno=os.dup(own.fileno())) as line:
        timer = threading.Timer(whole_s, _hang_up, [line])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _hang_up(line: socket.socket) -> None:
    with suppress(OSError):  # the other side has hung up meanwhile
        line.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    """The server's answer, or the error's own text, on one line."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = (f"{address} {code} {_text(reply)}" for address, (code, reply) in error.recipients.items())
        return "; ".join(answers)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return " ".join(str(error).split()) or type(error).__name__


def _text(reply: bytes | str) -> str:
    return " ".join((reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply).split())


def _rejection(where: str, error: smtplib.SMTPException) -> Refused | Retryable:
    """5xx is final, everything else may work later (RFC 5321 section 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    else:
        codes = [error.smtp_code] if isinstance(error, smtplib.SMTPResponseException) else []
    text = f"{where} rejected the mail: {_words(error)}"
    if codes and all(code >= 500 for code in codes):
        return Refused("mail_rejected", text)
    return Retryable(text)
