"""The study file: a header and one JSON line per finished trial, on the disk before the next one counts.

A process that is killed leaves at most a torn last line, which is cut off when the file is opened again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from htbot.backtest.optimize.trial import Trial, TrialOutcome
from htbot.domain.errors import ConfigurationError, HtbotError

FORMAT = 1
_KEYS = {"id", "unseen", "trades", "values", "engine", "why_not", "wall_s"}


class Study:
    """The finished trials of an open study file."""

    def __init__(self, path: Path, file: IO[bytes], finished: list[dict[str, Any]]) -> None:
        self.path = path
        self._file = file
        self._done: dict[str, TrialOutcome] = {}
        self.trials = 0
        for record in finished:
            self._keep(record)

    def __len__(self) -> int:
        return len(self._done)

    def get(self, trial: Trial) -> TrialOutcome | None:
        """What a trial gave, None while it has not finished."""
        return self._done.get(trial.id)

    def add(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Write a finished trial down; it is on the disk when this returns."""
        record = {
            "id": trial.id,
            "first": trial.window.first.isoformat(),
            "last": trial.window.last.isoformat(),
            "unseen": trial.unseen,
            "settings": dict(trial.settings),
            "trades": outcome.trades,
            "values": dict(outcome.values),
            "engine": outcome.engine,
            "why_not": outcome.why_not,
            "wall_s": round(outcome.wall_s, 6),
        }
        _append(self.path, self._file, record)
        self._keep(record)

    def _keep(self, record: dict[str, Any]) -> None:
        new = record["id"] not in self._done
        self.trials += new and not record["unseen"]
        self._done[record["id"]] = TrialOutcome(
            record["trades"], record["values"], record["engine"], record["wall_s"], record["why_not"]
        )


@contextmanager
def open_study(path: Path, header: Mapping[str, object]) -> Iterator[Study]:
    """Go on with a study file, or begin one. `header` says what its trials are good for.

    Raises:
        ConfigurationError: the file was made under another header, is in use, or is not a study file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"{path}: another htbot optimize writes to it; wait for its end") from None
        wanted = json.loads(json.dumps({"study": FORMAT, **header}))
        yield Study(path, file, _finished(path, file, wanted))


def _finished(path: Path, file: IO[bytes], wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of a file, its torn end cut off; an empty file gets its header."""
    file.seek(0)
    text = file.read()
    if text and not text.startswith(b'{"study"'[: len(text)]):
        raise ConfigurationError(f"{path}: not a study file")
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        file.truncate(len(whole))
    lines = whole.splitlines()
    if not lines:
        _append(path, file, wanted)
        _sync_folder(path.parent)
        return []
    records = [_record(path, number, line) for number, line in enumerate(lines, 1)]
    _compare(path, records[0], wanted)
    return records[1:]


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
        complete = isinstance(record, dict) and (number == 1 or record.keys() >= _KEYS)
    except ValueError:
        complete, record = False, {}
    if not complete:
        raise ConfigurationError(f"{path}: line {number} is no finished trial; remove the line or the file")
    return record  # type: ignore[no-any-return]


def _compare(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name in dict.fromkeys((*wanted, *found)):
        if found.get(name) != wanted.get(name):
            there, now = (_short(one.get(name)) for one in (found, wanted))
            what = name.replace("_", " ")
            raise ConfigurationError(f"{path} has another {what}: {there} there, {now} now; give another --study")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _append(path: Path, file: IO[bytes], record: Mapping[str, object]) -> None:
    line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    try:
        while line:
            line = line[file.write(line) :]
        os.fsync(file.fileno())
    except OSError as error:  # the disk is full
        raise HtbotError(f"{path}: {error.strerror}; the same command goes on with the trials before") from None


def _sync_folder(folder: Path) -> None:
    """The file's name is on the disk too."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
