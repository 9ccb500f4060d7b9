"""The process itself: it starts, answers on its socket, keeps its secrets, and ends when told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.people import FIRST

from htbot.persistence.engine import Database

_PATIENCE_S = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def environment(folder: Path, **changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH", "LANG"}}
    return kept | {
        "HTBOT_ENV_FILE": os.devnull,
        "HTBOT_VAR_DIR": str(folder / "var"),
        "KILL_SWITCH_FILE": str(folder / "STOP"),
        "REDIS_URL": "redis://:canary-password@127.0.0.1:1/0",
        "HTBOT_API_TOKEN": FIRST,
        **changes,
    }


@pytest.fixture
def served(database: Database, database_url: str, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    log = tmp_path / "api.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "htbot.api"],
            env=environment(tmp_path, DATABASE_URL=database_url, HTBOT_API_PORT=str(port)),
            stdout=stream,
            stderr=stream,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in {0, -signal.SIGTERM}
    written = log.read_text()
    assert FIRST not in written
    assert "canary" not in written


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/health", timeout=1)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the API did not answer:\n{log.read_text()}")


def test_it_serves_on_loopback_with_and_without_a_token(served: str) -> None:
    assert httpx.get(f"{served}/health").json()["status"] == "ok"
    ready = httpx.get(f"{served}/ready")
    assert (ready.status_code, ready.json()["checks"]["database"], ready.json()["checks"]["redis"]) == (
        503,
        "ok",
        "away",
    )
    assert "server" not in ready.headers
    assert httpx.get(f"{served}/status").status_code == 401
    assert httpx.get(f"{served}/status", headers={"X-API-Key": FIRST}).json()["halt"] is None
    assert httpx.get(f"{served}/status", headers={"X-API-Key": FIRST, "Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{served}/status", headers={"X-API-Key": "a" * 20_000}).status_code == 431


def test_without_a_token_it_refuses_to_start(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "htbot.api"],
        env=environment(tmp_path, HTBOT_API_TOKEN=""),
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
    )
    assert told.returncode == 4
    assert told.stderr.startswith("HTBOT_API_TOKEN is unset")
    assert told.stderr.count("\n") == 1
