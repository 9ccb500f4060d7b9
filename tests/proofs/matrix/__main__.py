"""`python -m tests.proofs.matrix [--write]`: run every test that carries a number, and write the page."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.proofs.matrix.marks import TESTS
from tests.proofs.matrix.page import page

PAGE = TESTS.parent / "docs/reference/faults.md"


def read_words(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command was called with."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.matrix", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/reference/faults.md when all of them passed")
    return parser.parse_args(words)


def main() -> int:
    """0 when all of them passed. A test that this host cannot run proves nothing: the page is not written then."""
    write = read_words().write
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.xml"
        command = [sys.executable, "-m", "pytest", "-m", "fault or ruling", "-q", f"--junitxml={told}"]
        ran = subprocess.run(command, cwd=TESTS.parent, check=False)
        skipped = not_run(told.read_text(encoding="utf-8")) if told.exists() else []
    for name in skipped:
        print(f"not run: {name}")
    if ran.returncode == 0 and not skipped and write:
        PAGE.write_text(page(), encoding="utf-8")
    return ran.returncode or int(bool(skipped))


def not_run(told: str) -> list[str]:
    """Names of the tests that were skipped, with the reason, from pytest's report as JUnit XML."""
    cases = ET.fromstring(told).iter("testcase")
    found = ((case, case.find("skipped")) for case in cases)
    return [f"{case.get('name')}: {skip.get('message')}" for case, skip in found if skip is not None]


if __name__ == "__main__":
    sys.exit(main())
