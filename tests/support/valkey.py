"""A private Valkey for tests: one server per run on a free port, empty at the start of a test, or one to be broken."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from htbot.bootstrap.install.valkey import prepare
from htbot.settings import project_root
from htbot.settings.endpoint import API_ROLE, APP_ROLE, Endpoint

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A running server and its folder."""

    process: subprocess.Popen[bytes]
    endpoint: Endpoint
    folder: Path

    @property
    def url(self) -> str:
        """As its owner opens it."""
        return self.endpoint.redis_url()


@contextmanager
def running_valkey(*lines: str) -> Iterator[ValkeyServer]:
    """A server with these lines added to the configuration that htbot gives its own."""
    folder = Path(tempfile.mkdtemp(prefix="htbot-valkey-"))
    try:
        prepared = prepare(folder, project_root() / "redis.conf")
        with prepared.configuration.open("a", encoding="utf-8") as configuration:
            configuration.writelines(f"{line}\n" for line in lines)
        process = subprocess.Popen(
            [str(prepared.binary), str(prepared.configuration)], stdout=subprocess.DEVNULL, cwd=folder
        )
        try:
            _wait(prepared.endpoint.redis_url())
            yield ValkeyServer(process, prepared.endpoint, folder)
        finally:
            process.terminate() if folder.exists() else process.kill()  # without its folder it does not end
            process.wait(timeout=_PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Endpoint]:
    """A running server."""
    with running_valkey() as server:
        yield server.endpoint


@pytest.fixture
def redis_url(valkey_server: Endpoint) -> str:
    """URL of an empty server, its owner's."""
    connection = redis.Redis.from_url(valkey_server.redis_url())
    connection.flushall()
    connection.close()
    return valkey_server.redis_url()


@pytest.fixture
def redis_app_url(redis_url: str, valkey_server: Endpoint) -> str:
    """The same server as desk, worker and beat open it."""
    return valkey_server.redis_url(APP_ROLE)


@pytest.fixture
def redis_api_url(redis_url: str, valkey_server: Endpoint) -> str:
    """The same server as the API opens it."""
    return valkey_server.redis_url(API_ROLE)


def _wait(url: str) -> None:
    connection = redis.Redis.from_url(url)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.ping()
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            connection.close()
            return
