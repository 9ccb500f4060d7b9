"""The four client libraries and how a program of each is run against a gateway of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.paper_process import PaperProcess

from .registry import Result

ROOT = Path(__file__).parents[2]
START = "2024-05-14T10:00:00-04:00"
"""A Tuesday in summer time, half an hour after the open."""
SPEED = 20.0
LIMIT_S = 500


@dataclass(frozen=True, slots=True)
class Library:
    """`folder` below .venv/clients; None = it is in the environment itself."""

    name: str
    title: str
    short: str
    folder: str | None


LIBRARIES = (
    Library("ib_async", "ib_async 2.1 (version 178)", "ib_async", None),
    Library("ib_insync", "ib_insync 0.9.86 (176)", "ib_insync", "ib_insync"),
    Library("ibapi", "ibapi 9.81.1 (157)", "ibapi 9", "ibapi"),
    Library("nautilus_ibapi", "nautilus-ibapi 10.45.1 (178)", "ibapi 10", "nautilus_ibapi"),
)


def installed(library: Library) -> bool:
    return library.folder is None or (ROOT / ".venv/clients" / library.folder / ".installed").exists()


def run(library: Library, folder: Path, only: str = "") -> list[Result]:
    """All checks with one library against a fresh gateway whose state is kept in `folder`."""
    return list(_results(library, folder, only))


def _results(library: Library, folder: Path, only: str) -> Iterator[Result]:
    gateway = PaperProcess(folder / library.name, folder / "calendar", start=START, seed=7, speed=SPEED)
    port = gateway.start()
    try:
        with _program(library, port, only) as program:
            assert program.stdout is not None
            for line in program.stdout:
                yield Result(**json.loads(line))
        if program.returncode:
            raise RuntimeError(f"the program of {library.name} ended with {program.returncode}: see the lines above")
    finally:
        gateway.stop()


def _program(library: Library, port: int, only: str) -> subprocess.Popen[str]:
    """`tests` is on the path instead of the project: one of the libraries brings a package of that name."""
    paths = [str(ROOT / "tests")]
    if library.folder is not None:
        paths.append(str(ROOT / ".venv/clients" / library.folder))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}
    command = ["timeout", str(LIMIT_S), sys.executable, "-m", "conformance.program", library.name, str(port), only]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
