"""What runs how often."""

from __future__ import annotations

from typing import ClassVar

from htbot.settings.section import Section, variable


class ScheduleSettings(Section):
    """Periods in market seconds, and the workers that serve them."""

    title: ClassVar[str] = "Schedule"

    poll_seconds: int = variable(
        "HTBOT_POLL_SECONDS",
        "market seconds between readings and between marks, a multiple of 30",
        default=30,
        ge=30,
        le=300,
        multiple_of=30,
    )
    evaluation_parts: int = variable(
        "HTBOT_EVALUATION_PARTS",
        "messages that an evaluation of strategies on plain instruments is split into, by symbol",
        default=2,
        ge=1,
        le=64,
    )
    worker_processes: int = variable("HTBOT_WORKER_PROCESSES", "processes of the Celery worker", default=2, ge=1, le=64)
