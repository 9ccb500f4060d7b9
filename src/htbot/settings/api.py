"""The REST API."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from htbot.settings.section import Section, variable


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

    @property
    def url(self) -> str:
        """Address for a person or a client on this machine."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
