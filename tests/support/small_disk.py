"""A small disk without root: a tmpfs in a namespace of its own, seen by the programs that are started in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_INSIDE = ("unshare", "--user", "--map-root-user", "--mount", "--")

_LEADER = """
import json, signal, subprocess, sys

subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={sys.argv[2]}k,mode=700", "tmpfs", sys.argv[1]], check=True)
print("mounted", flush=True)
nothing, running = subprocess.DEVNULL, []
for line in sys.stdin:
    running.append(subprocess.Popen(json.loads(line), stdin=nothing, stdout=nothing, stderr=nothing))
for process in running:
    process.send_signal(signal.SIGQUIT)
for process in running:
    process.wait()
"""

_POSTGRES = """
import os, sys
from pathlib import Path
from htbot.bootstrap.install.postgres import prepare

server = prepare(Path(sys.argv[1]))
options = [f"port={server.endpoint.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=",
           "shared_buffers=16MB", "max_connections=20", "max_wal_size=32MB", "min_wal_size=32MB", "autovacuum=off"]
command = [*server.command, "-D", str(server.data), *(part for option in options for part in ("-c", option))]
os.execvp(command[0], command)
"""


class SmallDisk:
    """A mounted disk. `folder` is its path for programs inside, `seen` the one by which everybody else reaches it."""

    def __init__(self, folder: Path, leader: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.seen = Path(f"/proc/{leader.pid}/root{folder}")
        self._leader = leader

    def start(self, *command: str) -> None:
        """Start a program that sees the disk; it ends with the disk."""
        assert self._leader.stdin is not None
        self._leader.stdin.write(json.dumps(command) + "\n")
        self._leader.stdin.flush()

    def fill(self) -> None:
        """Leave no byte on it."""
        for size in (1 << 20, 1 << 12, 1):
            with (self.seen / "ballast").open("ab", buffering=0) as stream, suppress(OSError):
                while True:
                    stream.write(bytes(size))
        disk = os.statvfs(self.seen)
        assert disk.f_bavail == 0, f"{disk.f_bavail} blocks are left"

    def free(self) -> None:
        """Give back what was filled."""
        (self.seen / "ballast").unlink()


@contextmanager
def small_disk(folder: Path, size_kb: int) -> Iterator[SmallDisk]:
    """A disk of this size at a folder that is made for it.

    Where this host gives nobody a namespace of their own the test is skipped: its row is not run then, and not green.
    """
    folder.mkdir()
    leader = subprocess.Popen(
        [*_INSIDE, sys.executable, "-c", _LEADER, str(folder), str(size_kb)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert leader.stdout is not None
    if leader.stdout.readline() != "mounted\n":
        _, complaint = leader.communicate()
        pytest.skip(f"not run: no small disk without root here: {complaint.strip().splitlines()[-1]}")
    try:
        yield SmallDisk(folder, leader)
    finally:
        leader.communicate(timeout=60)  # the end of its input is its end


class SmallPostgres:
    """A PostgreSQL on a small disk."""

    def __init__(self, disk: SmallDisk) -> None:
        self.disk = disk
        self._endpoint = disk.seen / "pg" / "endpoint.json"
        disk.start(sys.executable, "-c", _POSTGRES, str(disk.folder / "pg"))

    def url(self, database: str) -> str:
        """URL of one database of this server; its endpoint is there soon after the start."""
        told = json.loads(self._endpoint.read_text()) if self._endpoint.exists() else {"password": "", "port": 1}
        return f"postgresql://htbot:{told['password']}@127.0.0.1:{told['port']}/{database}"
