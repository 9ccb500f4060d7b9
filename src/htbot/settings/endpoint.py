"""Port and password of an embedded server, kept in `var/` by the installer and read by everybody else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from htbot.domain.errors import ConfigurationError

FILE_NAME = "endpoint.json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an embedded server listens on loopback."""

    port: int
    password: str

    def postgres_url(self) -> str:
        """URL of the embedded database, for SQLAlchemy."""
        return f"postgresql+psycopg2://htbot:{self.password}@127.0.0.1:{self.port}/htbot"

    def redis_url(self) -> str:
        """URL of the embedded Valkey."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def read_endpoint(folder: Path) -> Endpoint | None:
    """The endpoint of the server whose state is in `folder`; None before the installer has made one.

    Raises:
        ConfigurationError: the file is damaged.
    """
    path = folder / FILE_NAME
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Endpoint(port=int(fields["port"]), password=str(fields["password"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} is damaged ({error}): remove it and run ./restart.sh") from error


def write_endpoint(folder: Path, endpoint: Endpoint) -> None:
    """Keep the endpoint for later starts, readable by the owner only."""
    path = folder / FILE_NAME
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(endpoint)) + "\n", encoding="utf-8")
    fresh.replace(path)
