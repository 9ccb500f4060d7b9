"""What the programs of an instance said last stands in the report of the test that failed: there is nothing else to see
of a rare failure on another machine."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

LINES, WIDTH, MOST_FILES = 25, 400, 30
_BEGAN_S = pytest.StashKey[float]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_BEGAN_S] = time.time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        factory: Any = item.config._tmp_path_factory  # type: ignore[attr-defined]
        for log in written_since(factory.getbasetemp(), item.stash[_BEGAN_S])[:MOST_FILES]:
            report.sections.append((f"the end of {log}", last_words(log)))
    return report


def written_since(folder: Path, began_s: float) -> list[Path]:
    """Logs of programs below a folder that somebody has written to since then, epoch seconds; the latest first."""
    found: list[tuple[float, Path]] = []
    for path in folder.rglob("*"):
        if path.suffix not in {".log", ".txt"} or not path.is_file():
            continue
        status = path.stat()
        if status.st_size and status.st_mtime >= began_s:
            found.append((status.st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def last_words(log: Path) -> str:
    """Its last lines, each cut to a width that can be read."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - LINES * WIDTH))
        lines = stream.read().decode(errors="replace").splitlines()[-LINES:]
    return "\n".join(line[:WIDTH] for line in lines)
