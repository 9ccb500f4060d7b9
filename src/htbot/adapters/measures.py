"""Looks at Redis and at the machine, for the metrics page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import redis

_QUEUE = "default"
_STREAMS = ("alerts",)


class RedisGauge:
    """Sizes in Redis. It answers within two seconds or not at all."""

    def __init__(self, url: str, queue_url: str) -> None:
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._queues: Any = redis.Redis.from_url(queue_url, socket_timeout=2, socket_connect_timeout=2)

    def ping(self) -> None:
        """Nothing, when it answers.

        Raises:
            redis.RedisError: it does not.
        """
        self._redis.ping()

    def memory(self) -> dict[str, int]:
        """Bytes in use, by what for."""
        return {"used": int(self._redis.info("memory")["used_memory"])}

    def queues(self) -> dict[str, int]:
        """Messages that wait, by queue."""
        return {_QUEUE: int(self._queues.llen(_QUEUE))}

    def streams(self) -> dict[str, int]:
        """Entries by stream; a stream without entries has none."""
        return {stream: int(self._redis.xlen(stream)) for stream in _STREAMS}

    def pending(self) -> dict[tuple[str, str], int]:
        """Entries that were read and not acknowledged, by stream and group."""
        return {
            (stream, group["name"].decode()): int(group["pending"])
            for stream in _STREAMS
            if self._redis.exists(stream)
            for group in self._redis.xinfo_groups(stream)
        }


class HostGauge:
    """Processor, memory and disk of this machine, in percent."""

    def __init__(self, folder: Path) -> None:
        self._folder = next(path for path in (folder, *folder.parents) if path.exists())
        psutil.cpu_percent()  # the first call has nothing to compare with

    @staticmethod
    def cpu() -> float:
        """Load of all cores since the last call."""
        return float(psutil.cpu_percent())

    @staticmethod
    def memory() -> float:
        """Memory in use."""
        return float(psutil.virtual_memory().percent)

    def disk(self) -> float:
        """Disk in use where the folder lies."""
        return float(psutil.disk_usage(str(self._folder)).percent)
