"""Which ways alerts go, from the settings."""

from __future__ import annotations

from htbot.adapters.mail.channels import from_urls
from htbot.adapters.mail.files import LOCAL_ENVELOPE, FileDelivery
from htbot.adapters.mail.message import Envelope
from htbot.adapters.mail.smtp import SmtpDelivery, SmtpServer
from htbot.services.alert_delivery import Channel
from htbot.settings import Settings


def build_channels(settings: Settings) -> list[Channel]:
    """SMTP where a server is set, files in `var/mail/` where none is, and every Apprise URL besides.

    Raises:
        ConfigurationError: an address or a URL is malformed.
    """
    mail = settings.mail
    channels: list[Channel] = []
    if mail.smtp_server is None:
        envelope = Envelope(LOCAL_ENVELOPE.sender, mail.recipients) if mail.recipients else LOCAL_ENVELOPE
        channels.append(FileDelivery(settings.paths.mail, envelope))
    else:
        password = mail.smtp_password.get_secret_value() if mail.smtp_password else ""
        server = SmtpServer(mail.smtp_server, mail.smtp_port, mail.smtp_username or "", password)
        channels.append(SmtpDelivery(server, Envelope(mail.smtp_username or mail.recipients[0], mail.recipients)))
    channels.extend(from_urls([url.get_secret_value() for url in mail.alert_urls]))
    return channels
