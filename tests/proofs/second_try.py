"""What failed once is tried once more, alone: on a shared machine a server may be late, and a test with it.

    python -m tests.proofs.second_try CACHE_FOLDER...

Each folder is the cache of a pytest run that has ended with failures. Only tests that start servers get a second try,
and only a few: where a proof found a counterexample, or a pure function an unexpected value, once is enough. What
passed at the second try is named as unstable, which is a defect to be mended, and does not fail the run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MOST = 3
SERVERS = ("tests/e2e/", "tests/integration/", "tests/security/", "tests/wire/")
PROOFS = ("tests/e2e/test_chaos.py", "tests/e2e/test_failpoints.py")


def failed_in(caches: Sequence[Path]) -> list[str]:
    """Node ids of the tests that failed in these runs."""
    found: list[str] = []
    for cache in caches:
        told = cache / "v" / "cache" / "lastfailed"
        found += json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    return found


def why_not(failed: Sequence[str]) -> str | None:
    """Why these are not tried again; None when they are."""
    if not 0 < len(failed) <= MOST:
        return f"{len(failed)} tests failed; up to {MOST} are tried again"
    final = [one for one in failed if not one.startswith(SERVERS) or one.startswith(PROOFS)]
    if final:
        return f"{final[0]} starts no server or is a proof: its first answer counts"
    return None


def main(arguments: Sequence[str]) -> int:
    """The command: 0 when everything that failed passes now."""
    failed = failed_in([Path(one) for one in arguments])
    refusal = why_not(failed)
    if refusal is not None:
        print(f"no second try: {refusal}")
        return 1
    print(f"--- second try, alone: {', '.join(failed)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "pytest", *failed], check=False)
    if done.returncode == 0:
        print(*(f"UNSTABLE {one}: failed, then passed alone" for one in failed), sep="\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
