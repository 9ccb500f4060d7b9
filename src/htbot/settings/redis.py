"""Redis or Valkey: task queue and live fan-out, a server of yours or the embedded one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from htbot.domain.errors import ConfigurationError
from htbot.settings.section import Section, variable


def _redis_scheme(value: Any) -> Any:
    if not str(value).startswith(("redis://", "rediss://", "unix://", "redis+socket://")):
        raise ValueError(f"begins with {str(value).partition('://')[0]}: htbot needs redis://:password@host:port/0")
    return value


RedisUrl = Annotated[str, BeforeValidator(_redis_scheme)]


class RedisSettings(Section):
    """One of the two URLs serves for both."""

    title: ClassVar[str] = "Redis or Valkey (both unset: an embedded server in var/redis)"

    configured_broker_url: RedisUrl | None = variable(
        "CELERY_BROKER_URL", "task queue, redis://:password@host:6379/0; unset: REDIS_URL", repr=False
    )
    configured_url: RedisUrl | None = variable(
        "REDIS_URL", "live data, redis://:password@host:6379/0; unset: CELERY_BROKER_URL", repr=False
    )
    embedded_url: str | None = Field(None, repr=False)
    embedded_app_url: str | None = Field(None, repr=False)
    embedded_api_url: str | None = Field(None, repr=False)

    @property
    def embedded(self) -> bool:
        """Whether htbot runs its own server."""
        return self.configured_broker_url is None and self.configured_url is None

    @property
    def url(self) -> str:
        """URL for live data; of the embedded server its owner's.

        Raises:
            ConfigurationError: no URL is configured and the embedded server was never set up.
        """
        return self._first(self.configured_url, self.configured_broker_url)

    @property
    def app_url(self) -> str:
        """URL for live data of desk, worker and beat."""
        return self._first(self.configured_url, self.configured_broker_url, self.embedded_app_url)

    @property
    def api_url(self) -> str:
        """URL for live data of the API: it reads, asks and rings."""
        return self._first(self.configured_url, self.configured_broker_url, self.embedded_api_url)

    @property
    def broker_url(self) -> str:
        """URL of the task queue.

        Raises:
            ConfigurationError: no URL is configured and the embedded server was never set up.
        """
        return self._first(self.configured_broker_url, self.configured_url, self.embedded_app_url)

    @property
    def api_broker_url(self) -> str:
        """URL of the task queue for those who only look how long it is."""
        return self._first(self.configured_broker_url, self.configured_url, self.embedded_api_url)

    def _first(self, *urls: str | None) -> str:
        found = next((url for url in (*urls, self.embedded_url) if url is not None), None)
        if found is None:
            raise ConfigurationError("REDIS_URL is unset and there is no embedded Valkey yet: run ./restart.sh")
        return found
