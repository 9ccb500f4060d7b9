"""PostgreSQL: a server of yours, or the embedded one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from htbot.domain.errors import ConfigurationError
from htbot.settings.section import Section, variable

_DRIVER = "postgresql+psycopg2://"
_SPELLINGS = ("postgresql://", "postgres://", "postgresql+psycopg://", _DRIVER)


def _with_driver(value: Any) -> Any:
    """SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3: the driver is named (STACK)."""
    for spelling in _SPELLINGS:
        if isinstance(value, str) and value.startswith(spelling):
            return _DRIVER + value.removeprefix(spelling)
    scheme = str(value).partition("://")[0]
    raise ValueError(f"DATABASE_URL begins with {scheme}: htbot needs postgresql://user:password@host:port/database")


class DatabaseSettings(Section):
    """The record of everything."""

    title: ClassVar[str] = "PostgreSQL (unset: an embedded server in var/pg)"

    configured_url: Annotated[str, BeforeValidator(_with_driver)] | None = variable(
        "DATABASE_URL", "postgresql://user:password@host:5432/database; never created, only checked", repr=False
    )
    embedded_url: str | None = Field(None, repr=False)
    embedded_app_url: str | None = Field(None, repr=False)
    embedded_api_url: str | None = Field(None, repr=False)

    @property
    def embedded(self) -> bool:
        """Whether htbot runs its own server."""
        return self.configured_url is None

    @property
    def url(self) -> str:
        """URL for SQLAlchemy, driver named; of the embedded server its owner's, who migrates.

        Raises:
            ConfigurationError: no URL is configured and the embedded server was never set up.
        """
        if (url := self.configured_url or self.embedded_url) is None:
            raise ConfigurationError("DATABASE_URL is unset and there is no embedded PostgreSQL yet: run ./restart.sh")
        return url

    @property
    def app_url(self) -> str:
        """URL of the processes that trade: they change rows, never tables."""
        return self.configured_url or self.embedded_app_url or self.url

    @property
    def api_url(self) -> str:
        """URL of the API, which changes no order, fill or trade."""
        return self.configured_url or self.embedded_api_url or self.url
