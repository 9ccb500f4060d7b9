"""The Redis stream `alerts`: every alert that has been delivered, for programs that follow along. It is no record."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import redis

from htbot.alerts.document import encode
from htbot.domain.alerts import Alert

STREAM = "alerts"
FIELD = "data"
MOST_ENTRIES = 10_000
"""About so many are kept; Redis trims whole blocks."""
_log = logging.getLogger(__name__)


class AlertStream:
    """Adds to the stream. Redis away is logged and stops nobody: readers find what they missed in the record."""

    def __init__(self, url: str, most_entries: int = MOST_ENTRIES) -> None:
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._most = most_entries

    def publish(self, alerts: Sequence[tuple[str, Alert]]) -> None:
        """Add alerts with their ids, in order; one that comes twice has the same `dedup_key`."""
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for alert_id, alert in alerts:
                    entry = {FIELD: encode(alert_id, alert)}
                    pipeline.xadd(STREAM, entry, maxlen=self._most, approximate=True)
                pipeline.execute()
        except redis.RedisError as error:
            _log.warning("%s alerts are not in the stream: %s", len(alerts), error)
