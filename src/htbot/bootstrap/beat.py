"""Composition root of beat: the schedule and the live clock, none of the tasks."""

from __future__ import annotations

from dataclasses import dataclass

from htbot.adapters.live import LiveReader
from htbot.persistence.singleton import SingletonLock
from htbot.services.schedule import ScheduleRow, schedule
from htbot.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class BeatParts:
    """What beat's scheduler works with."""

    live: LiveReader
    schedule: tuple[ScheduleRow, ...]
    lock: SingletonLock


def build_beat(settings: Settings | None = None) -> BeatParts:
    """Beat's parts from the settings."""
    chosen = settings or load_settings()
    return BeatParts(
        LiveReader(chosen.redis.app_url),
        schedule(chosen.schedule.poll_seconds),
        SingletonLock(chosen.database.app_url, "beat"),
    )
