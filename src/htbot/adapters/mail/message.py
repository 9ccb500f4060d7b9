"""An alert as an RFC 5322 message with a text and an HTML part.

Messages are composed with the standard library, not with Apprise's mail plug-in: that one derives the text part from
the HTML, rewrites settings by the host's name, and answers a failure with False instead of the server's words.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from htbot.alerts.message import SUBJECT_PREFIX
from htbot.domain.alerts import Alert, Severity
from htbot.domain.errors import ConfigurationError, Refused

MAXIMUM_SUBJECT = 200
_ADDRESS = re.compile(r"[^\s@,;<>\"()\[\]\\]+@[A-Za-z0-9.-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who a message is from and whom it goes to (plain addresses, `name@host`)."""

    sender: str
    recipients: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ConfigurationError("NOTIFICATION_EMAIL is empty: name at least one address")
        for address in (self.sender, *self.recipients):
            _require_address(address)


def parse_recipients(text: str) -> tuple[str, ...]:
    """The addresses of a comma or semicolon separated list, in order, without repetition."""
    addresses = (part.strip() for part in re.split(r"[,;]", text))
    return tuple(dict.fromkeys(address for address in addresses if address))


def compose(alert: Alert, envelope: Envelope, date: datetime) -> EmailMessage:
    """The message of an alert; `date` (aware) is what the Date header says.

    The Message-ID follows from the alert's key, so that a mail server can drop the second copy of a message whose
    acknowledgement was lost.

    Raises:
        Refused: a header value holds a line break or another control character.
    """
    subject = alert.subject if alert.subject.startswith(SUBJECT_PREFIX) else SUBJECT_PREFIX + alert.subject
    message = EmailMessage(policy=SMTP)
    message["Subject"] = _header("subject", subject)[:MAXIMUM_SUBJECT]
    message["From"] = envelope.sender
    message["To"] = ", ".join(envelope.recipients)
    message["Date"] = format_datetime(date)
    message["Message-ID"] = f"<{alert_digest(alert)}@htbot.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Htbot-Kind"] = _header("kind", alert.kind)
    message["X-Htbot-Market-Time"] = alert.as_of.isoformat()
    if alert.severity is Severity.CRITICAL:
        message["Importance"] = "high"
    message.set_content(alert.text)
    if alert.html:
        message.add_alternative(alert.html, subtype="html")
    return message


def alert_digest(alert: Alert) -> str:
    """Short hex name of an alert, the same whenever it is sent again."""
    return hashlib.sha256(alert.dedup_key.encode()).hexdigest()[:24]


def _header(name: str, value: str) -> str:
    if _CONTROL.search(value):
        raise Refused("mail_header", f"{name} {value!r} holds a line break or control character", value=repr(value))
    return value


def _require_address(text: str) -> None:
    if not _ADDRESS.fullmatch(text):
        raise ConfigurationError(f"{text!r} is no e-mail address: write it as name@host")
