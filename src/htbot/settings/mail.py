"""E-mail and other alert channels. With none configured, mails land as files in `var/mail/`."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, SecretStr, model_validator

from htbot.settings.section import Section, variable

_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")


def _split_secrets(value: Any) -> Any:
    """URLs of channels, separated by blanks or commas before the next scheme."""
    if not isinstance(value, str):
        return value
    return tuple(SecretStr(part) for part in re.split(r"[\s]+|,(?=[a-z][a-z0-9+.-]*://)", value) if part)


class MailSettings(Section):
    """Where alerts go."""

    title: ClassVar[str] = "E-mail and alerts (none set: mails are written to var/mail)"

    smtp_server: str | None = variable("SMTP_SERVER", "SMTP host, STARTTLS", aliases=("SMTP_HOST",))
    smtp_port: int = variable("SMTP_PORT", "SMTP port", default=587, ge=1, le=65535)
    smtp_username: str | None = variable("SMTP_USERNAME", "login and sender", aliases=("SMTP_USER",))
    smtp_password: SecretStr | None = variable("SMTP_PASSWORD", "password of that login")
    notification_email: str | None = variable(
        "NOTIFICATION_EMAIL",
        "recipients, separated by commas",
        aliases=("ADMIN_EMAIL", "EMAIL_ADMIN_RECIPIENTS"),
    )
    alert_urls: Annotated[tuple[SecretStr, ...], BeforeValidator(_split_secrets)] = variable(
        "ALERT_URLS", "further channels as Apprise URLs, separated by blanks", default=()
    )

    @property
    def recipients(self) -> tuple[str, ...]:
        """Addresses of `NOTIFICATION_EMAIL`."""
        return tuple(part.strip() for part in (self.notification_email or "").split(",") if part.strip())

    @property
    def to_files(self) -> bool:
        """Whether mails are written to `var/mail` for want of a server."""
        return self.smtp_server is None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for address in self.recipients:
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"NOTIFICATION_EMAIL={address} is no e-mail address")
        if self.smtp_server is not None and not self.recipients:
            raise ValueError(f"SMTP_SERVER={self.smtp_server} needs NOTIFICATION_EMAIL")
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD come together: set both or none")
        if self.smtp_server is not None and "@" not in (self.smtp_username or self.recipients[0]):
            raise ValueError(f"SMTP_USERNAME={self.smtp_username} is the sender and must be an e-mail address")
        return self
