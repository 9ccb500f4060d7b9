"""`python -m tests.conformance`: every request with every client library against a fresh gateway.

python -m tests.conformance                      the checks that fail, and how many pass
python -m tests.conformance --write              docs/reference/conformance.md, too
python -m tests.conformance --client ibapi --only Orders     a part of it, every line
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .clients import LIBRARIES, SPEED, START, Library, installed, run
from .page import PAGE, page
from .registry import FAIL, Result


def read_words(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command was called with."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__.splitlines()[0])
    parser.add_argument("--client", choices=[library.name for library in LIBRARIES], help="this library alone")
    parser.add_argument("--only", default="", help="a part of a heading or request")
    parser.add_argument("--write", action="store_true", help="write docs/reference/conformance.md")
    parser.add_argument("--verbose", action="store_true", help="every line")
    asked = parser.parse_args(words)
    if asked.write and (asked.client or asked.only):
        parser.error("--write takes all libraries and all checks: leave out --client and --only")
    return asked


def main() -> int:
    """1 when a check fails."""
    asked = read_words()
    libraries = [library for library in LIBRARIES if asked.client in {None, library.name}]
    missing = ", ".join(library.name for library in libraries if not installed(library))
    if missing:
        sys.exit(f"not installed: {missing}; run ./test.sh once, or ask for --client ib_async alone")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(libraries)) as pool:
        results = list(pool.map(lambda library: run(library, Path(folder), asked.only), libraries))
    failed = 0
    for library, rows in zip(libraries, results, strict=True):
        failed += told(library, rows, everything=asked.verbose)
    if asked.write:
        columns = dict(zip((library.name for library in libraries), results, strict=True))
        PAGE.write_text(page(columns, START, SPEED), encoding="utf-8")
    return min(failed, 1)


def told(library: Library, rows: list[Result], *, everything: bool) -> int:
    """Print what failed; how many."""
    failed = [row for row in rows if row.outcome == FAIL]
    for row in rows if everything else failed:
        print(f"{library.name}: {row.request}: {row.behaviour}: {row.outcome} {row.reason} ({row.seconds} s)")
    print(f"{library.name}: {len(rows)} checks, {len(failed)} failed, {sum(row.seconds for row in rows):.0f} s")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
