"""Known vulnerabilities of what is installed, asked of the package index where it can be reached (FAULTS 60).

    python -m tests.proofs.advisories

Prints what was found for the locked versions. Where nobody answers it says so and fails nothing: a row that was not run
is not green, and a machine without a network can still run its tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOCK = Path("requirements.lock")
PATIENCE_S = 120


def judge(dependencies: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit code and lines for people, from pip-audit's list of dependencies."""
    asked = [one for one in dependencies if "skip_reason" not in one]
    if not asked:
        return 0, [f"not run: the index knows advisories of none of {len(dependencies)} packages"]
    found = [
        f"{one['name']} {one['version']}: {vulnerability['id']}, fixed in {', '.join(vulnerability['fix_versions'])}"
        for one in asked
        for vulnerability in one["vulns"]
    ]
    told = f"{len(found)} known vulnerabilities in {len(asked)} of {len(dependencies)} packages that could be asked for"
    return (1 if found else 0), [*found, told]


def main() -> int:
    """The command."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(LOCK), "--disable-pip", "--require-hashes", "-f", "json"]
    try:
        done = subprocess.run(
            [*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        dependencies = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("not run: the index with advisories does not answer")
        return 0
    code, lines = judge(dependencies)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
