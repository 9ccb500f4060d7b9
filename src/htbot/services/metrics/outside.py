"""What Redis and the host say of themselves, as metrics. How it is found out is an adapter's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from htbot.telemetry.metrics import Gathered


@dataclass(frozen=True, slots=True)
class RedisMeasures:
    """Redis: bytes by use, messages waiting by queue, entries by stream, entries not acknowledged by stream, group."""

    memory_bytes: Mapping[str, int]
    queues: Mapping[str, int]
    streams: Mapping[str, int]
    pending: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class HostMeasures:
    """The machine, in percent; `disk` is where the state lies. What the programs of the instance take, by name."""

    cpu: float
    memory: float
    disk: float
    memory_bytes: Mapping[str, float] = field(default_factory=dict)
    open_files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outside:
    """Both; None = it does not answer, or nobody asked."""

    redis: RedisMeasures | None = None
    host: HostMeasures | None = None
    asked: bool = False


NOTHING_OUTSIDE = Outside()


def put_outside(gathered: Gathered, outside: Outside) -> None:
    """All of it that is known."""
    if outside.asked:
        gathered.put("htbot_redis_up", int(outside.redis is not None))
    if outside.redis is not None:
        gathered.put("htbot_redis_memory_bytes", outside.redis.memory_bytes.get("used"))
        for queue, length in outside.redis.queues.items():
            gathered.put("htbot_queue_length", length, queue)
        for stream, length in outside.redis.streams.items():
            gathered.put("htbot_stream_length", length, stream)
        for (stream, group), count in outside.redis.pending.items():
            gathered.put("htbot_stream_pending", count, stream, group)
    if outside.host is not None:
        gathered.put("htbot_system_cpu_percent", outside.host.cpu)
        gathered.put("htbot_system_memory_percent", outside.host.memory)
        gathered.put("htbot_system_disk_percent", outside.host.disk)
        for program, taken in outside.host.memory_bytes.items():
            gathered.put("htbot_process_memory_bytes", taken, program)
        for program, count in outside.host.open_files.items():
            gathered.put("htbot_process_open_files", count, program)
