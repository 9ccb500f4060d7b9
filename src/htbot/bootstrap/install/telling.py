"""Tells a person something from outside of the trading processes, which may be what has died."""

from __future__ import annotations

from datetime import UTC, datetime

from htbot.alerts.message import Message, compose
from htbot.bootstrap.mail import build_channels
from htbot.domain.errors import HtbotError, Retryable
from htbot.persistence.engine import Database
from htbot.persistence.repositories import AlertRepository
from htbot.services.alert_delivery import DeliveryParts, deliver_due
from htbot.settings import Settings
from htbot.telemetry.logs import get_logger

_log = get_logger(__name__)


def tell(settings: Settings, message: Message) -> bool:
    """Put a message into the outbox and deliver at once; without the record, hand it to the channels directly.

    Returns:
        Whether a channel took it, now or when it was told before.
    """
    channels = build_channels(settings)
    alert = compose(message)
    try:
        database = Database(settings.database.url)
        try:
            with database.transaction() as session:
                if not AlertRepository(session).add(alert):
                    return True
            return deliver_due(DeliveryParts(database, channels, lambda: datetime.now(UTC))) > 0
        finally:
            database.close()
    except Retryable as error:
        _log.warning("outbox_away", detail=str(error))
    taken = False
    for channel in channels:
        try:
            channel.deliver(alert)
        except HtbotError as error:
            _log.warning("not_delivered", channel=channel.name, detail=str(error))
        else:
            taken = True
    return taken
