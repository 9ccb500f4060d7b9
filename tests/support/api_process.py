"""The API as a process of its own, with a record and, unless a test brings one, no Redis."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from tests.support.people import FIRST
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.install.ports import free_port

TOKEN = {"Authorization": f"Bearer {FIRST}"}


@dataclass(frozen=True)
class Served:
    """A running API."""

    process: subprocess.Popen[bytes]
    port: int
    url: str
    log: Path

    def resident_mb(self) -> float:
        """Memory that the process has now."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    def sockets(self) -> int:
        """Connections of clients that the process has now."""
        found = psutil.Process(self.process.pid).net_connections(kind="tcp")
        return sum(1 for one in found if one.laddr.port == self.port and one.status != psutil.CONN_LISTEN)


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """Of a process that sees nothing of this machine's htbot."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH", "LANG"}}
    return kept | {
        "HTBOT_ENV_FILE": os.devnull,
        "HTBOT_VAR_DIR": str(folder / "var"),
        "KILL_SWITCH_FILE": str(folder / "STOP"),
        "REDIS_URL": "redis://:canary-password@127.0.0.1:1/0",
        "HTBOT_API_TOKEN": FIRST,
        **changes,
    }


@contextmanager
def serving(folder: Path, verify: ssl.SSLContext | bool = True, **changes: str) -> Iterator[Served]:
    """Run it until the block ends; it ends by itself when it is told to."""
    port = free_port()
    log = folder / "api.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "htbot.api"],
            env=environment(folder, HTBOT_API_PORT=str(port), **changes),
            stdout=stream,
            stderr=stream,
        )
    scheme = "https" if "HTBOT_API_TLS_CERT" in changes else "http"
    served = Served(process, port, f"{scheme}://127.0.0.1:{port}", log)
    try:
        _wait(served, verify)
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(timeout=PATIENCE_S)
    assert ended == 0, "who ends when told to has not crashed: the alarm tells people of any other code"


def _wait(served: Served, verify: ssl.SSLContext | bool) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and served.process.poll() is None:
        try:
            httpx.get(f"{served.url}/health", timeout=5, verify=verify, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the API did not answer:\n{served.log.read_text()}")
