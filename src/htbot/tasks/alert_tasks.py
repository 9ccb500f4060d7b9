"""Alerts: the outbox is delivered every 30 seconds, and never inside a trade's transaction."""

from __future__ import annotations

from htbot.services.alert_delivery import anything_due, deliver_due
from htbot.services.schedule import DELIVER_ALERTS
from htbot.tasks.app import app
from htbot.tasks.base import Run, register


def _deliver_alerts(run: Run) -> str:
    if not anything_due(run.transaction, run.parts.delivery):
        return "nothing to send"
    return f"{deliver_due(run.parts.delivery)} sent"


deliver_alerts = register(app, DELIVER_ALERTS, _deliver_alerts)
