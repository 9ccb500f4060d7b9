"""Tells a person something from outside of the trading processes, which may be what has died."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from htbot.adapters.alert_stream import AlertStream
from htbot.adapters.mail.files import FileDelivery
from htbot.alerts.message import Message, by_the_host, compose
from htbot.bootstrap.mail import build_channels
from htbot.domain.alerts import Alert
from htbot.domain.errors import ConfigurationError, HtbotError, Retryable
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.repositories import AlertRepository
from htbot.services.alert_delivery import Channel, DeliveryParts, deliver_due, nowhere
from htbot.settings import Settings
from htbot.telemetry.logs import get_logger

_OPTIONS = EngineOptions(application_name="htbot-telling", pool_size=1, connect_timeout_s=3, statement_timeout_ms=5_000)
_log = get_logger(__name__)


def tell(settings: Settings, message: Message) -> bool:
    """Put a message into the outbox and deliver at once; without the record, hand it to the channels directly.

    Without the record and with every channel away it becomes a file in `var/mail`, so that it is not lost.

    Returns:
        Whether a person was told, now or when it was told before; a message that waits in the outbox is not told yet.
    """
    channels = build_channels(settings)
    alert = by_the_host(compose(message))
    try:
        return _by_the_outbox(settings, channels, alert)
    except (Retryable, ConfigurationError) as error:
        _log.warning("outbox_away", detail=str(error))
    taken = [channel for channel in channels if _taken(channel, alert)]
    _publish_to(settings)([(alert.dedup_key, alert)])
    if not taken:
        _taken(FileDelivery(settings.paths.mail), alert)
    return bool(taken)


def _by_the_outbox(settings: Settings, channels: Sequence[Channel], alert: Alert) -> bool:
    database = Database(settings.database.url, _OPTIONS)
    try:
        with database.transaction() as session:
            if not AlertRepository(session).add(alert):
                return True
        parts = DeliveryParts(database, channels, lambda: datetime.now(UTC), _publish_to(settings))
        deliver_due(parts)
        with database.transaction() as session:
            return AlertRepository(session).is_sent(alert.dedup_key)
    finally:
        database.close()


def _publish_to(settings: Settings) -> Callable[[Sequence[tuple[str, Alert]]], None]:
    try:
        return AlertStream(settings.redis.url).publish
    except ConfigurationError:
        return nowhere


def _taken(channel: Channel, alert: Alert) -> bool:
    try:
        channel.deliver(alert)
    except HtbotError as error:
        _log.warning("not_delivered", channel=channel.name, detail=str(error))
        return False
    return True
