"""A private Valkey for tests: one server per run on a free port, empty at the start of a test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from htbot.bootstrap.install.valkey import prepare
from htbot.settings import project_root
from htbot.settings.endpoint import API_ROLE, APP_ROLE, Endpoint

_PATIENCE_S = 10.0


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Endpoint]:
    """A running server."""
    folder = Path(tempfile.mkdtemp(prefix="htbot-valkey-"))
    try:
        prepared = prepare(folder, project_root() / "redis.conf")
        process = subprocess.Popen(
            [str(prepared.binary), str(prepared.configuration)], stdout=subprocess.DEVNULL, cwd=folder
        )
        try:
            _wait(prepared.endpoint.redis_url())
            yield prepared.endpoint
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
