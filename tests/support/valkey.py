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

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A running server, its URL and its folder."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path


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
            url = prepared.endpoint.redis_url()
            _wait(url)
            yield ValkeyServer(process, url, folder)
        finally:
            process.terminate() if folder.exists() else process.kill()  # without its folder it does not end
            process.wait(timeout=_PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """URL of a running server."""
    with running_valkey() as server:
        yield server.url


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
