"""Composition root of the API process."""

from __future__ import annotations

from dataclasses import dataclass

from htbot.bootstrap.people import People, build_people
from htbot.domain.errors import ConfigurationError
from htbot.persistence.engine import EngineOptions
from htbot.settings import Settings

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
_OPTIONS = EngineOptions(
    application_name="htbot-api", pool_size=4, max_overflow=12, pool_timeout_s=10, connect_timeout_s=3
)


@dataclass(frozen=True, slots=True)
class ApiProcess:
    """What the API process is made of; `hosts` are the names by which it may be called besides loopback."""

    people: People
    token: str
    host: str
    port: int
    url: str
    hosts: tuple[str, ...]


def build_api(settings: Settings) -> ApiProcess:
    """The API's parts.

    Raises:
        ConfigurationError: there is no first token, no record or no Redis.
    """
    api = settings.api
    if api.token is None:
        raise ConfigurationError("HTBOT_API_TOKEN is unset: ./restart.sh writes one into .env")
    return ApiProcess(
        people=build_people(settings, _OPTIONS),
        token=api.token.get_secret_value(),
        host=api.host,
        port=api.port,
        url=api.url,
        hosts=() if api.host in ANY_ADDRESS else (api.host.strip("[]"),),
    )
