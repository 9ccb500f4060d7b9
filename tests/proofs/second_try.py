"""What failed once is tried once more, alone: on a shared machine a server may be late, and a test with it.

    python -m tests.proofs.second_try CACHE_FOLDER...

Each folder is the cache of a pytest run that has ended with failures. Only tests that start servers get a second try,
and only a few: where a proof found a counterexample, or a pure function an unexpected value, once is enough. What
passed at the second try is named as unstable, which is a defect to be mended, and does not fail the run.

Where `SUITE_ENDS` says when the run must be over (seconds of the epoch), no try goes on until then: what cannot be
tried in the time that is left has failed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

MOST = 3
SERVERS = ("tests/e2e/", "tests/integration/", "tests/security/", "tests/wire/")
PROOFS = ("tests/e2e/test_chaos.py", "tests/e2e/test_failpoints.py")
WINDING_UP_S = 45.0
"""A test that is interrupted stops its servers."""
SHORTEST_S = 10.0

Left = Callable[[], float | None]
"""Seconds that are left for a try; None: no end."""


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


def left_until(ends: str | None) -> Left:
    """What is left until this second of the epoch, but for the time that an interrupted test needs to end."""
    return lambda: None if ends is None else float(ends) - WINDING_UP_S - time.time()


def complaint(test: str, left: Left, *options: str) -> str | None:
    """Try a test in a process of its own: what is said of it, None when it has passed."""
    left_s = left()
    if left_s is not None and left_s < SHORTEST_S:
        return f"FAILED {test}: no time is left for a second try"
    # A shell has its background jobs ignore this signal, and what they start inherits it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen([sys.executable, "-m", "pytest", *options, test], start_new_session=True) as running:
        try:
            return None if running.wait(left_s) == 0 else f"FAILED {test}: twice"
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGINT)
            try:
                running.wait(WINDING_UP_S / 2)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
            return f"FAILED {test}: the second try did not end in {left_s:.0f} s, all that was left"


def main(arguments: Sequence[str]) -> int:
    """The command: 0 when everything that failed passes now."""
    failed = failed_in([Path(one) for one in arguments])
    refusal = why_not(failed)
    if refusal is not None:
        print(f"no second try: {refusal}")
        return 1
    print(f"--- second try, alone: {', '.join(failed)}", flush=True)
    left = left_until(os.environ.get("SUITE_ENDS"))
    told = {test: complaint(test, left) for test in failed}
    print(*(words or f"UNSTABLE {test}: failed, then passed alone" for test, words in told.items()), sep="\n")
    return int(any(told.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
