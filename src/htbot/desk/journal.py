"""The desk's own journal: closes and commands leave from here, whatever has become of PostgreSQL (RULINGS 1).

One JSON array a line, after the checksum of its text: number, kind, body. Appended, forced to the disk, never changed;
what the record has taken over is marked by a line of its own. A torn last line was never forced, and nothing followed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htbot.desk.turns import giving_way
from htbot.domain.errors import HtbotError

CLOSE, COMMAND, TAKEN = "close", "command", "taken"
# A disk that forces an entry within this time is quick: the event loop writes the next one itself.
QUICK_S = 0.005
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_log = logging.getLogger(__name__)


class JournalStuck(HtbotError):
    """The journal could not be written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was promised: its number, its kind and what it says."""

    number: int
    kind: str
    body: Mapping[str, Any]


@dataclass(slots=True)
class Promise:
    """An entry on its way to the disk; `kept` is None until it is known whether it got there."""

    number: int
    writing: Future[None]
    kept: bool | None = None


class Journal:
    """Append-only file of one desk, read once (`opened`) before anything is promised.

    While the disk is quick the event loop writes by itself: to wake another thread costs a close more than the disk
    does, most of all on a busy host. At the start, and from the first write that was slow or refused, writes have a
    thread of their own until one of them is quick again: a slow disk does not stop the event loop twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk-journal")
        self._descriptor: int | None = None
        self._number = 0
        self._promising = 0
        self._stood_still = False
        self._quick = False
        self.opened = False

    def open(self) -> list[Entry]:
        """What the record has not taken over yet, oldest first. One that cannot be opened is tried again later."""
        self.opened = True
        promised: dict[int, Entry] = {}
        for entry in self._read():
            self._number = max(self._number, entry.number)
            if entry.kind == TAKEN:
                promised.pop(int(entry.body["number"]), None)
            else:
                promised[entry.number] = entry
        try:
            if not promised:
                self._begin_anew()
            self._descriptor = self._descriptor_for_appending()
            self._end_torn_line()
        except OSError as error:
            _log.critical("journal %s cannot be opened: %s", self._path, error.strerror)
        return list(promised.values())

    def begin(self, kind: str, body: Mapping[str, Any]) -> Promise:
        """Begin to write one entry through to the disk.

        The event loop does it itself on a disk that was quick the last time, and waits a moment for another one; only
        when no other write is under way, and once a turn.
        """
        self._number += 1
        at_once, self._promising = self._promising == 0 and not self._stood_still, self._promising + 1
        line = _line(Entry(self._number, kind, body))
        if at_once:
            self._stood_still = True
            asyncio.get_running_loop().call_soon(self._turned)
        here = at_once and self._quick
        writing = self._write_here(line) if here else self._executor.submit(self._append, line, force=True)
        promise = Promise(self._number, writing)
        if at_once:
            with suppress(TimeoutError), giving_way():
                writing.exception(QUICK_S)
        if at_once and writing.done():  # else an earlier promise has not left yet, and comes first
            self._end(promise)
        return promise

    def _turned(self) -> None:
        self._stood_still = False

    def _write_here(self, line: bytes) -> Future[None]:
        """Write in the event loop, which wants the interpreter back as soon as the disk has it."""
        written: Future[None] = Future()
        try:
            with giving_way():
                self._append(line, force=True)
        except JournalStuck as error:
            written.set_exception(error)
        else:
            written.set_result(None)
        return written

    def _end(self, promise: Promise) -> bool:
        self._promising -= 1
        error = promise.writing.exception()
        if error is not None:
            _log.critical("%s", error)
        promise.kept = error is None
        return promise.kept

    async def kept(self, promise: Promise) -> bool:
        """Wait until the entry is on the disk; False when the disk refuses: nothing was promised."""
        if promise.kept is None:
            await asyncio.wait([asyncio.wrap_future(promise.writing)])
            return self._end(promise)
        return promise.kept

    async def promise(self, kind: str, body: Mapping[str, Any]) -> int:
        """Write one entry through to the disk; returns its number.

        Raises:
            JournalStuck: the disk refuses; nothing was promised.
        """
        promise = self.begin(kind, body)
        if not await self.kept(promise):
            raise JournalStuck(str(promise.writing.exception()))
        return promise.number

    def taken(self, number: int) -> None:
        """The record has this entry: it need not be told again. Lost marks are harmless."""
        self._number += 1
        line = _line(Entry(self._number, TAKEN, {"number": number}))
        self._executor.submit(self._append, line, force=False).add_done_callback(_marked)

    def close(self) -> None:
        """Finish what is being written and close the file."""
        self._executor.shutdown(wait=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, line: bytes, *, force: bool) -> None:
        began_s, self._quick = time.monotonic(), self._quick and not force
        try:
            if self._descriptor is None:
                self._descriptor = self._descriptor_for_appending()
            if os.write(self._descriptor, line) != len(line):
                os.write(self._descriptor, b"\n")  # a torn line of its own
                raise JournalStuck(f"{self._path}: the disk is full")
            if force:
                os.fdatasync(self._descriptor)
                self._quick = time.monotonic() - began_s <= QUICK_S
        except OSError as error:
            raise JournalStuck(f"{self._path}: {error.strerror}") from error

    def _descriptor_for_appending(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    def _end_torn_line(self) -> None:
        """What is appended begins on a line of its own."""
        text = self._path.read_bytes()
        if text and not text.endswith(b"\n") and self._descriptor is not None:
            os.write(self._descriptor, b"\n")

    def _begin_anew(self) -> None:
        """Everything is in the record: the old file is kept as it was beside the new one."""
        if self._path.exists() and self._path.stat().st_size:
            self._path.replace(self._path.with_suffix(".old"))

    def _read(self) -> Iterator[Entry]:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return
        lines = text.split(b"\n")
        for place, line in enumerate(lines):
            if not line:
                continue
            entry = _entry(line)
            if entry is not None:
                yield entry
            elif place >= len(lines) - 2:
                _log.warning("journal %s: the last line is torn, nothing followed from it", self._path)
            else:
                _log.error("journal %s: line %d is damaged and passed over", self._path, place + 1)


def _marked(done: Future[None]) -> None:
    if (error := done.exception()) is not None:
        _log.warning("a mark of the journal was lost, the entry will be told again: %s", error)


def _line(entry: Entry) -> bytes:
    text = _encode([entry.number, entry.kind, dict(entry.body)])
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


def _entry(line: bytes) -> Entry | None:
    checksum, _, text = line.partition(b" ")
    if checksum.decode("ascii", "replace") != f"{zlib.crc32(text):08x}":
        return None
    number, kind, body = json.loads(text)
    return Entry(number, kind, body)
