"""What the metrics page asks Redis and the machine for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import redis

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
            self._gauges = RedisGauge(servers.url, servers.broker_url), HostGauge(self._settings.paths.var)
        gauge, host = self._gauges
        measured = HostMeasures(host.cpu(), host.memory(), host.disk())
        try:
            return Outside(_of(gauge), measured, asked=True)
        except redis.RedisError:
            return Outside(None, measured, asked=True)


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
