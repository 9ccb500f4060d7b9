"""The Celery application under the name that `celery -A celery_app` looks for."""

from __future__ import annotations

import warnings

from htbot.tasks.app import app

# Root in a container is a supported way to run; messages are JSON, so the danger that Celery warns of is not there.
warnings.filterwarnings("ignore", message=r"\s*You're running the worker with superuser privileges")

__all__ = ["app"]
