"""The Celery application under the name that `celery -A celery_app` looks for."""

from __future__ import annotations

from htbot.tasks.app import app

__all__ = ["app"]
