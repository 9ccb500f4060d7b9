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

_PATIENCE_S = 10.0


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """URL of a running server."""
    folder = Path(tempfile.mkdtemp(prefix="htbot-valkey-"))
    try:
        prepared = prepare(folder, project_root() / "redis.conf")
        process = subprocess.Popen(
            [str(prepared.binary), str(prepared.configuration)], stdout=subprocess.DEVNULL, cwd=folder
        )
        try:
            url = f"redis://:{prepared.endpoint.password}@127.0.0.1:{prepared.endpoint.port}/0"
            _wait(url)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_url(valkey_server: str) -> str:
    """URL of an empty server."""
    connection = redis.Redis.from_url(valkey_server)
    connection.flushall()
    connection.close()
    return valkey_server


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
