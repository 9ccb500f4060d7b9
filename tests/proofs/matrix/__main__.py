"""`python -m tests.proofs.matrix [--write]`: run every test that carries a number, and write the page."""

from __future__ import annotations

import subprocess
import sys

from tests.proofs.matrix.marks import TESTS
from tests.proofs.matrix.page import page

PAGE = TESTS.parent / "docs/reference/faults.md"


def main() -> int:
    """0 when all of them passed."""
    ran = subprocess.run([sys.executable, "-m", "pytest", "-m", "fault or ruling", "-q"], cwd=TESTS.parent, check=False)
    if ran.returncode == 0 and "--write" in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
