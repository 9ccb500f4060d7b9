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
    keep_evaluations_days: int = variable(
        "HTBOT_KEEP_EVALUATIONS_DAYS",
        "days that looks of strategies are kept, with the reasons why nothing happened; 0: for ever. Signals stay",
        default=30,
        ge=0,
        le=36_500,
    )
    keep_runs_days: int = variable(
        "HTBOT_KEEP_RUNS_DAYS",
        "days that runs of tasks are kept, and comparisons with the broker that found nothing; 0: for ever",
        default=30,
        ge=0,
        le=36_500,
    )
    worker_processes: int = variable("HTBOT_WORKER_PROCESSES", "processes of the Celery worker", default=2, ge=1, le=64)
