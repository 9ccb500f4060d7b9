"""What the metrics page asks Redis and the machine for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import redis

from htbot.bootstrap.install.usage import usage_of
from htbot.services.metrics.outside import HostMeasures, Outside, RedisMeasures
from htbot.settings import Settings

if TYPE_CHECKING:
    from htbot.adapters.measures import HostGauge, RedisGauge

Key = TypeVar("Key")


class LookOutside:
    """A look at both, to be taken for each page; what it needs is loaded for the first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gauges: tuple[RedisGauge, HostGauge] | None = None

    def __call__(self) -> Outside:
        """Both now."""
        if self._gauges is None:
            from htbot.adapters.measures import HostGauge, RedisGauge

            servers = self._settings.redis
            self._gauges = RedisGauge(servers.api_url, servers.api_broker_url), HostGauge(self._settings.paths.var)
        gauge, host = self._gauges
        memory_bytes, open_files = _taken(self._settings.paths.var.resolve())
        measured = HostMeasures(host.cpu(), host.memory(), host.disk(), memory_bytes, open_files)
        try:
            return Outside(_of(gauge), measured, asked=True)
        except redis.RedisError:
            return Outside(None, measured, asked=True)


def _taken(instance: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Bytes by program, the sum of its processes; open files, those of the one that has most."""
    memory_bytes, open_files = defaultdict[str, float](float), defaultdict[str, int](int)
    for usage in usage_of(instance):
        memory_bytes[usage.program] += usage.memory_mb * 2**20
        open_files[usage.program] = max(open_files[usage.program], usage.open_files)
    return dict(memory_bytes), dict(open_files)


def _of(gauge: RedisGauge) -> RedisMeasures:
    gauge.ping()
    return RedisMeasures(
        _allowed(gauge.memory), _allowed(gauge.queues), _allowed(gauge.streams), _allowed(gauge.pending)
    )


def _allowed(ask: Callable[[], dict[Key, int]]) -> dict[Key, int]:
    """The answer, or nothing where the server's user may not ask."""
    try:
        return ask()
    except redis.ResponseError:
        return {}
