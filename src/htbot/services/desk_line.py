"""The desk's own line: a UNIX socket that works with PostgreSQL, Redis and the API dead (RULINGS 1).

One JSON object is asked and one answered, a line each: `{"do": "flatten", "scope", "key", "by"}` or `{"do": "status"}`
against `{"ok": true, ...}` or `{"ok": false, "error"}`.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htbot.domain.errors import CallerMistake, Retryable

SOCKET = "desk.sock"
FLATTEN, STATUS = "flatten", "status"
_LONGEST = 65_536


@contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """The path of the socket in a folder, short enough for the kernel however deep the folder lies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class DeskLine:
    """The other end of the line; `folder` is `var/run`."""

    folder: Path
    timeout_s: float = 5.0

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the desk.

        Raises:
            Retryable: the desk does not run, or does not answer in time.
            CallerMistake: it does not understand, or refuses.
        """
        try:
            with short_path(self.folder) as path, socket.socket(socket.AF_UNIX) as line:
                line.settimeout(self.timeout_s)
                line.connect(path)
                line.sendall(json.dumps(dict(request)).encode() + b"\n")
                answer = json.loads(_line(line))
        except (OSError, ValueError) as error:
            raise Retryable(f"the desk does not answer at {self.folder / SOCKET}: {error}") from error
        if not answer.pop("ok"):
            raise CallerMistake(str(answer["error"]))
        return dict(answer)


def _line(line: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n") and len(received) < _LONGEST:
        part = line.recv(4096)
        if not part:
            break
        received += part
    return received
