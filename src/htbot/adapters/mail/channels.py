"""Delivery through Apprise: every channel that has an Apprise URL (`ALERT_URLS`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from htbot.domain.alerts import Alert, Severity
from htbot.domain.errors import ConfigurationError, Retryable

if TYPE_CHECKING:
    from apprise import Apprise

_NOTIFY_TYPE = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


class AppriseDelivery:
    """One alert to one URL. URLs carry secrets: errors and names show the scheme and the position only."""

    def __init__(self, url: str, position: int) -> None:
        from apprise import Apprise

        scheme = url.partition("://")[0]
        self.name = f"url{position}:{scheme}"
        self._apprise: Apprise = Apprise()
        if not self._apprise.add(url):
            raise ConfigurationError(
                f"ALERT_URLS: entry {position} ({scheme}://...) is no Apprise URL; see https://appriseit.com/services/"
            )

    def deliver(self, alert: Alert) -> None:
        """Send one alert as text.

        Raises:
            Retryable: the service did not take it (Apprise tells no more than that).
        """
        sent = self._apprise.notify(
            body=alert.text,
            title=alert.subject,
            notify_type=_NOTIFY_TYPE[alert.severity],
            body_format="text",
        )
        if not sent:
            raise Retryable(f"{self.name} did not take the alert")


def from_urls(urls: Sequence[str]) -> list[AppriseDelivery]:
    """A delivery for each URL, in order.

    Raises:
        ConfigurationError: one of them is no Apprise URL.
    """
    return [AppriseDelivery(url, position) for position, url in enumerate(urls, start=1)]
