"""A small disk of its own without root: a tmpfs in a namespace of its own, seen by the programs that run in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_INSIDE = ("unshare", "--user", "--map-root-user", "--mount", "--")

_POSTGRES = """
import errno, json, os, signal, subprocess, sys
from pathlib import Path
from htbot.bootstrap.install.postgres import prepare

folder, size_mb = Path(sys.argv[1]), int(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=700", "tmpfs", str(folder)], check=True)
server = prepare(folder / "pg")
options = [f"port={server.endpoint.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=",
           "shared_buffers=16MB", "max_connections=20", "max_wal_size=32MB", "min_wal_size=32MB", "autovacuum=off"]
command = [*server.command, "-D", str(server.data), *(part for option in options for part in ("-c", option))]
running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(json.dumps({"port": server.endpoint.port, "password": server.endpoint.password}), flush=True)
ballast = folder / "ballast"
for line in sys.stdin:
    if line.strip() == "fill":
        with ballast.open("ab", buffering=0) as stream:
            for part in (1 << 20, 4096):
                try:
                    while True:
                        stream.write(bytes(part))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
    else:
        ballast.unlink()
    print("done", flush=True)
running.send_signal(signal.SIGQUIT)
running.wait()
"""


def require_small_disks() -> None:
    """Skip the test where this host gives nobody a namespace of their own: the row is not run then, not green."""
    done = subprocess.run([*_INSIDE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"not run: no small disk without root here: {done.stderr.decode().strip()}")


class SmallPostgres:
    """A PostgreSQL on a disk that a test can fill and free."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._endpoint = json.loads(self._line())

    def url(self, database: str) -> str:
        """URL of one database of this server."""
        return f"postgresql://htbot:{self._endpoint['password']}@127.0.0.1:{self._endpoint['port']}/{database}"

    def fill(self) -> None:
        """Leave no byte on its disk."""
        self._say("fill")

    def free(self) -> None:
        """Give it back what was filled."""
        self._say("free")

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._line() == "done\n"

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"it ended with {self._process.wait()}"
        return line


@contextmanager
def small_postgres(folder: Path, size_mb: int = 100) -> Iterator[SmallPostgres]:
    """A server whose data lies on a disk of this size."""
    folder.mkdir()
    process = subprocess.Popen(
        [*_INSIDE, sys.executable, "-c", _POSTGRES, str(folder), str(size_mb)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield SmallPostgres(process)
    finally:
        process.communicate(timeout=30)  # the end of its input is its end
