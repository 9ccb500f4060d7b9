"""How much the processes may take, and how much must be left."""

from __future__ import annotations

from typing import ClassVar

from htbot.settings.section import Section, variable


class LimitSettings(Section):
    """What is looked at once a minute from outside."""

    title: ClassVar[str] = "Limits of processes"

    memory_mb: int = variable(
        "HTBOT_MEMORY_LIMIT_MB",
        "resident MiB above which a process of htbot is degraded and restarted: the desk between orders only",
        default=1024,
        ge=192,
        le=65_536,
    )
    least_free_disk_mb: int = variable(
        "HTBOT_LEAST_FREE_DISK_MB",
        "a person is told when the disk of var/ has fewer MiB left; 0: never",
        default=512,
        ge=0,
        le=1_000_000,
    )
