"""The REST API."""

from __future__ import annotations

import ipaddress
import re
import ssl
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, SecretStr, model_validator

from htbot.settings.section import Section, variable

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def _split(value: Any) -> Any:
    return tuple(part for part in re.split(r"[\s,]+", value) if part) if isinstance(value, str) else value


class ApiSettings(Section):
    """Where the API listens and its first token (RULINGS 36)."""

    title: ClassVar[str] = "REST API"

    token: SecretStr | None = variable(
        "HTBOT_API_TOKEN", "first token, role admin; restart.sh writes a fresh one", min_length=20
    )
    host: str = variable(
        "HTBOT_API_HOST", "address to listen on; keep to loopback", default="127.0.0.1", aliases=("API_HOST",)
    )
    port: int = variable("HTBOT_API_PORT", "port", default=8000, aliases=("API_PORT",), ge=1024, le=65535)
    certificate: Path | None = variable("HTBOT_API_TLS_CERT", "PEM file with the certificate and its chain")
    key: Path | None = variable("HTBOT_API_TLS_KEY", "PEM file with the certificate's key, closed to others")
    public: bool = variable(
        "HTBOT_API_PUBLIC", "yes: HTBOT_API_HOST may be wider than this machine; needs TLS", default=False
    )
    names: Annotated[tuple[str, ...], BeforeValidator(_split)] = variable(
        "HTBOT_API_NAMES", "host names by which it is called besides loopback, separated by commas", default=()
    )

    @property
    def url(self) -> str:
        """Address for a person or a client on this machine."""
        host = "127.0.0.1" if self.host in _EVERYWHERE else self.host.strip("[]")
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names by which it may be called besides loopback."""
        return self.names if self.host in _EVERYWHERE else (*self.names, self.host.strip("[]"))

    @property
    def trust(self) -> ssl.SSLContext | None:
        """What a client on this machine trusts: the configured certificate and no other; None without TLS."""
        if self.certificate is None:
            return None
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.check_hostname = False  # it is called by its address, the certificate has its name
        return context

    @model_validator(mode="after")
    def _closed_or_encrypted(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("HTBOT_API_TLS_CERT and HTBOT_API_TLS_KEY come together: set both or none")
        if _is_loopback(self.host):
            return self
        if self.certificate is None:
            raise ValueError(
                f"HTBOT_API_HOST={self.host} is wider than this machine: set HTBOT_API_TLS_CERT, HTBOT_API_TLS_KEY and"
                " HTBOT_API_PUBLIC=yes, or keep to 127.0.0.1"
            )
        if not self.public:
            raise ValueError(
                f"HTBOT_API_HOST={self.host} is wider than this machine: set HTBOT_API_PUBLIC=yes if you want that"
            )
        if not self.hosts:
            raise ValueError(
                f"HTBOT_API_HOST={self.host} needs HTBOT_API_NAMES: the names by which others call it, every other"
                " Host header is refused"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
