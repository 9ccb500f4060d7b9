"""How much the processes may take, and how much must be left."""

from __future__ import annotations

from typing import ClassVar

from htbot.settings.section import Section, variable


class LimitSettings(Section):
    """What is looked at once a minute from outside."""

    title: ClassVar[str] = "Limits of processes"

    least_free_disk_mb: int = variable(
        "HTBOT_LEAST_FREE_DISK_MB",
        "a person is told when the disk of var/ has fewer MiB left; 0: never",
        default=512,
        ge=0,
        le=1_000_000,
    )
