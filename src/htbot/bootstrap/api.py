"""Composition root of the API process."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from htbot.bootstrap.people import People, build_people
from htbot.domain.errors import ConfigurationError
from htbot.persistence.engine import EngineOptions
from htbot.settings import Settings

_OPTIONS = EngineOptions(
    application_name="htbot-api", pool_size=4, max_overflow=20, pool_timeout_s=10, connect_timeout_s=3
)


@dataclass(frozen=True, slots=True)
class ApiProcess:
    """What the API process is made of.

    `hosts` are the names by which it may be called besides loopback; `run` is `var/run`.
    """

    people: People
    token: str
    host: str
    port: int
    url: str
    hosts: tuple[str, ...]
    run: Path
    certificate: Path | None = None
    key: Path | None = None


def build_api(settings: Settings) -> ApiProcess:
    """The API's parts.

    Raises:
        ConfigurationError: there is no first token, no record or no Redis, or the certificate does not fit its key.
    """
    api = settings.api
    if api.token is None:
        raise ConfigurationError("HTBOT_API_TOKEN is unset: ./restart.sh writes one into .env")
    if api.certificate is not None:
        _try_certificate(api.certificate, api.key)
    return ApiProcess(
        people=build_people(settings, _OPTIONS, as_api=True),
        token=api.token.get_secret_value(),
        host=api.host.strip("[]"),
        port=api.port,
        url=api.url,
        hosts=api.hosts,
        run=settings.paths.run,
        certificate=api.certificate,
        key=api.key,
    )


def _try_certificate(certificate: Path, key: Path | None) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConfigurationError(
            f"HTBOT_API_TLS_CERT={certificate} and HTBOT_API_TLS_KEY={key} cannot be served: {reason}"
        ) from error
