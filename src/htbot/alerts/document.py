"""The one shape of an alert for programs: what stands in the Redis stream `alerts` (spec 02 section 6)."""

from __future__ import annotations

import json

from htbot.domain.alerts import Alert

FIELDS = (
    "id",
    "type",
    "severity",
    "source",
    "follower_id",
    "account",
    "message",
    "params",
    "ts",
    "dedup_key",
)


def encode(alert_id: str, alert: Alert) -> str:
    """JSON text. `id` is that of the record, or the key of an alert that could not be recorded; `ts` is market time.

    `follower_id` is null: there are no followers yet.
    """
    document = {
        "id": alert_id,
        "type": alert.kind,
        "severity": alert.severity.value,
        "source": source_of(alert),
        "follower_id": None,
        "account": alert.account or None,
        "message": alert.text,
        "params": {"subject": alert.subject, **alert.params},
        "ts": alert.as_of.isoformat(),
        "dedup_key": alert.dedup_key,
    }
    return json.dumps(document, ensure_ascii=False)


def source_of(alert: Alert) -> str:
    """The part that the alert is about: a program that died, what reported an error, else htbot as a whole."""
    kind, _, rest = alert.kind.partition(".")
    if kind == "program":
        return alert.params.get("program", kind)
    return rest if kind == "error" and rest else "htbot"
