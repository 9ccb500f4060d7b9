"""Sessions that were logged out, remembered until they would have ended by themselves.

In a file of `var/run` that only its owner reads: it outlives a restart of the API, and every replica of a host looks
into it. It has hashes, so that nobody makes a session of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

FILE_NAME = "dashboard.ended"
_log = logging.getLogger(__name__)


class EndedSessions:
    """Ids of sessions and when they are over (wall time, epoch seconds). Without a file, of this process alone."""

    def __init__(self, path: Path | None, now_s: Callable[[], float]) -> None:
        self._path = path
        self._now_s = now_s
        self._until: dict[str, float] = {}
        self._seen: tuple[int, int] | None = None
        self._troubled = False
        self._forget_old()

    def add(self, session_id: str, until_s: float) -> None:
        """This one counts no more. Where the file cannot be written that holds in this process, and the log says so."""
        self._until = {known: until for known, until in self._until.items() if until > self._now_s()}
        self._until[_hashed(session_id)] = until_s
        with self._file() as file:
            if file is not None:
                file.seek(0, os.SEEK_END)
                file.write(f"{_hashed(session_id)} {until_s!r}\n")

    def __contains__(self, session_id: str) -> bool:
        self._look()
        return _hashed(session_id) in self._until

    def _look(self) -> None:
        """Read what another process may have written since."""
        if self._path is None:
            return
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            self._tell(error)
            return
        if (found.st_size, found.st_mtime_ns) != self._seen:
            with self._file() as file:
                if file is not None:
                    self._until |= _read(file)
                    self._seen = (found.st_size, found.st_mtime_ns)

    def _forget_old(self) -> None:
        """At the start: keep what still matters. In place and under the lock, so that no replica's line is lost."""
        with self._file() as file:
            if file is not None:
                self._until = {known: until for known, until in _read(file).items() if until > self._now_s()}
                file.seek(0)
                file.truncate()
                file.writelines(f"{known} {until!r}\n" for known, until in self._until.items())

    @contextmanager
    def _file(self) -> Iterator[TextIO | None]:
        """The file, locked; None without one, or when it cannot be opened or written, which is told once."""
        if self._path is None:
            yield None
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._tell(error)
            yield None
            return
        try:
            with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
                file.flush()
            self._troubled = False
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._troubled:
            self._troubled = True
            _log.warning("who has logged out is remembered by this process alone: %s: %s", self._path, error.strerror)


def _read(file: TextIO) -> dict[str, float]:
    """What stands in it; a line that is none of ours, such as one that a full disk has cut, is passed over."""
    found: dict[str, float] = {}
    for line in file.read().splitlines():
        known, _, until = line.partition(" ")
        try:
            found[known] = float(until)
        except ValueError:
            _log.warning("a line of %s is not understood and passed over", FILE_NAME)
    return found


def _hashed(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
