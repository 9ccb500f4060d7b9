"""Halts that were seen while the record could not be written: a small file, synced before anybody relies on it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from htbot.persistence.repositories import HaltRequest
from htbot.persistence.states import HaltKind
from htbot.services.halt_record import HeldHalt

_UNREADABLE = "journal"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HaltJournal:
    """One JSON line per halt; whoever reads a line that is torn or strange takes it for a halt."""

    path: Path

    def append(self, held: HeldHalt) -> None:
        """Write a halt down, durably.

        Raises:
            OSError: the folder cannot be written.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, _line(held))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            self._sync_folder()

    def read(self, now: datetime | None = None) -> list[HeldHalt]:
        """What was written and not yet copied into the record, oldest first. A file that cannot be read is a halt."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return []
        except OSError as error:
            return [_unreadable(f"{self.path}: {error.strerror}", now)]
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            lines = [line for line in file.read().splitlines() if line.strip()]
        return [self._parsed(line, now) for line in lines]

    def _parsed(self, line: str, now: datetime | None) -> HeldHalt:
        try:
            return _held(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("a line of %s is unreadable and counts as a halt: %s", self.path, error)
            return _unreadable(f"{self.path} holds a line that cannot be read", now)

    def replace(self, left: Iterable[HeldHalt]) -> None:
        """Keep only what is not in the record yet.

        Raises:
            OSError: the folder cannot be written; the old lines stay.
        """
        lines = b"".join(_line(held) for held in left)
        if not lines:
            self.path.unlink(missing_ok=True)
            return
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, lines)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(self.path)
        self._sync_folder()

    def _sync_folder(self) -> None:
        """A new name is durable once its folder is."""
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _line(held: HeldHalt) -> bytes:
    request = held.request
    document = {
        "kind": request.kind.value,
        "source": request.source,
        "reason": request.reason,
        "set_by": request.set_by,
        "set_at": request.set_at.isoformat(),
        "ends_at": request.ends_at.isoformat() if request.ends_at else None,
        "account": held.account,
        "figures": dict(held.figures),
        "flatten": held.flatten,
    }
    return json.dumps(document, ensure_ascii=True).encode() + b"\n"


def _held(document: dict[str, object]) -> HeldHalt:
    ends_at = document["ends_at"]
    figures = document["figures"]
    if not isinstance(figures, dict):
        raise TypeError("figures are no object")
    request = HaltRequest(
        source=str(document["source"]),
        reason=str(document["reason"]),
        set_by=str(document["set_by"]),
        set_at=_aware(str(document["set_at"])),
        kind=HaltKind(str(document["kind"])),
        ends_at=_aware(str(ends_at)) if ends_at else None,
        account=str(document["account"]) or None,
    )
    told = {str(name): str(value) for name, value in figures.items()}
    return HeldHalt(request, told, document["flatten"] is True)


def _aware(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return instant


def _unreadable(reason: str, now: datetime | None) -> HeldHalt:
    return HeldHalt(HaltRequest(_UNREADABLE, reason, set_by=_UNREADABLE, set_at=now or datetime.now(UTC)))
