"""Anchors: the heads of the hash chains, written down outside of the database.

A chain shows by itself that something before its last link was changed. That its end was cut off, or that all of it was
written anew, shows only against a head that was noted earlier. Copy the file, or a line of it, to where the database's
administrator cannot write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from htbot.domain.errors import HtbotError
from htbot.persistence.records import Link

FILE_NAME = "audit.head"


class AnchorTrouble(HtbotError):
    """The anchor file cannot be read, written or understood."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The heads of every chain at one moment (wall time), and why they were noted."""

    at: datetime
    why: str
    heads: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class AnchorFile:
    """One anchor a line, JSON, only ever appended to."""

    path: Path

    def append(self, heads: Sequence[Link], why: str, at: datetime) -> None:
        """Note the heads, on the disk when this returns.

        Raises:
            AnchorTrouble: the file cannot be written.
        """
        line = json.dumps({"at": at.isoformat(), "why": why, "heads": [asdict(link) for link in heads]})
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, flags, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise AnchorTrouble(f"cannot write {self.path}: {error.strerror}") from error

    def read(self) -> list[Anchor]:
        """Every anchor, oldest first; none without a file.

        Raises:
            AnchorTrouble: the file cannot be read, or a line of it is no anchor.
        """
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise AnchorTrouble(f"cannot read {self.path}: {error}") from error
        return [self._parse(line, number) for number, line in enumerate(lines, start=1)]

    def _parse(self, line: str, number: int) -> Anchor:
        try:
            raw = json.loads(line)
            heads = tuple(_link(head) for head in raw["heads"])
            return Anchor(datetime.fromisoformat(raw["at"]), str(raw["why"]), heads)
        except (ValueError, KeyError, TypeError) as error:
            raise AnchorTrouble(f"line {number} of {self.path} is no anchor: the file was changed") from error


def _link(raw: dict[str, Any]) -> Link:
    return Link(str(raw["table"]), str(raw["lane"]), int(raw["seq"]), str(raw["hash"]))
