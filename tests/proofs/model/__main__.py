"""Model check of the way an order takes: `python -m tests.proofs.model [--run NAME] [--faults N] [--weaken NAME]`.

Every state that can be reached within the bounds is visited, breadth first, with the desk's own tables and its own
look-up; the answer is "safe", or the shortest way to what must never be. What is modelled, and what is not, stands in
docs/concepts/proofs.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from tests.proofs.model.runs import RUNS, SOUND, WEAKENED
from tests.proofs.model.search import Search


def read_words(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command was called with."""
    parser = argparse.ArgumentParser(prog="tests.proofs.model", description=__doc__)
    parser.add_argument("--run", choices=RUNS, help="one run only")
    parser.add_argument("--faults", type=int, help="faults in one run, instead of its own number")
    parser.add_argument("--states", type=int, default=3_000_000, help="give up beyond this number of states")
    parser.add_argument("--weaken", choices=[*WEAKENED, "each"], help="take a rule away, or each in its turn")
    return parser.parse_args(words)


def main() -> int:
    """0 when the sound protocol is safe, or a weakened one is seen through; 1 otherwise."""
    options = read_words()
    if options.weaken:
        names = list(WEAKENED) if options.weaken == "each" else [options.weaken]
        return max([_weakened(name, options) for name in names])
    names = [options.run] if options.run else list(RUNS)
    return max([_sound(name, options) for name in names])


def _sound(name: str, options: argparse.Namespace) -> int:
    bounds = RUNS[name] if options.faults is None else replace(RUNS[name], faults=options.faults)
    verdict = Search(SOUND, bounds, options.states).run()
    print(f"{name}: {', '.join(bounds.refs)}, at most {bounds.faults} faults: {verdict.told()}", flush=True)
    return 0 if verdict.safe else 1


def _weakened(name: str, options: argparse.Namespace) -> int:
    weak = WEAKENED[name]
    bounds = weak.bounds if options.faults is None else replace(weak.bounds, faults=options.faults)
    verdict = Search(weak.rules, bounds, options.states).run()
    print(f"{name}: {weak.why}: {verdict.told()}", flush=True)
    return 0 if verdict.violation else 1


if __name__ == "__main__":
    sys.exit(main())
