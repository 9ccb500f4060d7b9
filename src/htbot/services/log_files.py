"""The ends of the processes' logs, merged by time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

LEVELS = ("debug", "info", "warning", "error", "critical")
_READ_BYTES = 96 * 1024
"""Of the end of each file; what is older is read where it lies."""
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event; `at` is wall time, None where the line does not tell it."""

    at: datetime | None
    program: str
    level: str
    logger: str
    event: str


@dataclass(frozen=True, slots=True)
class LogFiles:
    """JSON logs of one instance in `folder`, a file for each program."""

    folder: Path

    def programs(self) -> list[str]:
        """Who has written a log."""
        return sorted(path.stem for path in self.folder.glob("*.log"))

    def tail(
        self, lines: int = 200, program: str | None = None, least: str = "info", search: str | None = None
    ) -> list[LogLine]:
        """The newest lines of a level or above, the newest first; of all programs or of one, with a text or any."""
        chosen = [name for name in self.programs() if program in {None, name}]
        found = [line for name in chosen for line in self._end_of(name) if _rank(line.level) >= _rank(least)]
        if search is not None:
            found = [line for line in found if search.casefold() in line.event.casefold()]
        dated = sorted((line for line in found if line.at is not None), key=_time, reverse=True)
        return dated[:lines]

    def _end_of(self, program: str) -> list[LogLine]:
        """What can be read of the end of one file; one that rotates away meanwhile has nothing."""
        try:
            with (self.folder / f"{program}.log").open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _READ_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        parsed = [_parse(program, line) for line in text.splitlines()]
        return [line for line in parsed if line is not None]


def _time(line: LogLine) -> float:
    return 0.0 if line.at is None else line.at.timestamp()


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _parse(program: str, text: str) -> LogLine | None:
    """A line of ours; None for the half line at the beginning and for what is no JSON."""
    try:
        told: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    return LogLine(
        at=_instant(told.get("timestamp")),
        program=program,
        level=str(told.get("level", "info")),
        logger=str(told.get("logger", "")),
        event=str(told.get("event", ""))[:_LONGEST],
    )


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
