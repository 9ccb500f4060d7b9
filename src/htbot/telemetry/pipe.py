"""Standard error that never makes its process wait: a process manager that stands still must not stop trading."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from typing import TextIO

_ROOM = 1 << 20
"""Bytes between us and the reader: the most that a normal user may ask the kernel for."""


class LossyPipe:
    """The writing end of a pipe. A text that finds no room is lost and counted; the count is written when there is."""

    def __init__(self, descriptor: int) -> None:
        # A description of its own: whoever else writes to the pipe goes on waiting if he likes.
        self._descriptor = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(OSError):  # the kernel's usual 64 KiB do as well
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, _ROOM)
        self._cut = b""
        self._lost = 0

    def write(self, text: str) -> int:
        """Write a text or lose it, at once.

        Raises:
            OSError: nobody can read it any more.
        """
        if self._cut and not self._rest_written():
            self._lost += 1
            return len(text)
        told = f'{{"event": "log lines were lost", "level": "warning", "count": {self._lost}}}\n' if self._lost else ""
        data = (told + text).encode("utf-8", "replace")
        written = self._written(data)
        if written == 0:
            self._lost += 1
            return len(text)
        self._lost, self._cut = 0, data[written:]
        return len(text)

    def flush(self) -> None:
        """Everything has been written or lost already."""

    def isatty(self) -> bool:
        """A pipe is no terminal."""
        return False

    def _rest_written(self) -> bool:
        self._cut = self._cut[self._written(self._cut) :]
        return not self._cut

    def _written(self, data: bytes) -> int:
        """How many of the bytes went through; a line of a page or less goes whole or not at all."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0


def unblocked(stream: TextIO) -> TextIO | LossyPipe:
    """The stream as one that never waits, where it is a pipe that we may open again; else as it is."""
    try:
        descriptor = stream.fileno()
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return stream
        return LossyPipe(descriptor)
    except (OSError, ValueError):
        return stream
