"""The process itself: it starts, answers on its socket, keeps its secrets, and ends when told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.api_process import environment, serving
from tests.support.people import FIRST
from tests.support.waiting import PATIENCE_S

from htbot.persistence.engine import Database


@pytest.fixture
def served(database: Database, database_url: str, tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path, DATABASE_URL=database_url) as running:
        yield running.url
    written = running.log.read_text()
    assert FIRST not in written
    assert "canary" not in written


def test_it_serves_on_loopback_with_and_without_a_token(served: str) -> None:
    with httpx.Client(base_url=served, timeout=PATIENCE_S) as client:
        assert client.get("/health").json()["status"] == "ok"
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()["checks"]["database"], ready.json()["checks"]["redis"]) == (
            503,
            "ok",
            "away",
        )
        assert "server" not in ready.headers
        assert client.get("/status").status_code == 401
        assert client.get("/status", headers={"X-API-Key": FIRST}).json()["halt"] is None
        assert client.get("/status", headers={"X-API-Key": FIRST, "Host": "evil.example"}).status_code == 403
        assert client.get("/status", headers={"X-API-Key": "a" * 20_000}).status_code == 431


def test_without_a_token_it_refuses_to_start(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "htbot.api"],
        env=environment(tmp_path, HTBOT_API_TOKEN=""),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert told.returncode == 4
    assert told.stderr.startswith("HTBOT_API_TOKEN is unset")
    assert told.stderr.count("\n") == 1
