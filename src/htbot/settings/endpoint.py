"""Port and password of an embedded server, kept in `var/` by the installer and read by everybody else."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from htbot.domain.errors import ConfigurationError

FILE_NAME = "endpoint.json"
ROLES = APP_ROLE, API_ROLE = "htbot_app", "htbot_api"
"""Of the embedded servers besides their owner: desk, worker and beat; the API."""
OWNER = "htbot"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an embedded server listens on loopback; `password` is its owner's, `roles` has those of the others."""

    port: int
    password: str
    roles: Mapping[str, str] = field(default_factory=dict)

    def postgres_url(self, role: str | None = None) -> str:
        """URL of the embedded database, for SQLAlchemy; the owner's when the role is not known yet."""
        return f"postgresql+psycopg2://{self._login(role)}@127.0.0.1:{self.port}/htbot"

    def redis_url(self, role: str | None = None) -> str:
        """URL of the embedded Valkey; the owner's when the role is not known yet."""
        return f"redis://{self._login(role)}@127.0.0.1:{self.port}/0"

    def _login(self, role: str | None) -> str:
        if role is not None and role in self.roles:
            return f"{role}:{self.roles[role]}"
        return f"{OWNER}:{self.password}"

    def with_roles(self) -> Endpoint:
        """The same with a password for each of `ROLES`; those that have one keep it."""
        return replace(self, roles={name: self.roles.get(name) or secrets.token_urlsafe(24) for name in ROLES})


def read_endpoint(folder: Path) -> Endpoint | None:
    """The endpoint of the server whose state is in `folder`; None before the installer has made one.

    Raises:
        ConfigurationError: the file is damaged.
    """
    path = folder / FILE_NAME
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        roles = {str(name): str(password) for name, password in fields.get("roles", {}).items()}
        return Endpoint(port=int(fields["port"]), password=str(fields["password"]), roles=roles)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} is damaged ({error}): remove it and run ./restart.sh") from error


def write_endpoint(folder: Path, endpoint: Endpoint) -> None:
    """Keep the endpoint for later starts, readable by the owner only."""
    path = folder / FILE_NAME
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(endpoint)) + "\n", encoding="utf-8")
    fresh.replace(path)
