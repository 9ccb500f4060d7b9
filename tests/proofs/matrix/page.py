"""The page of faults: each row with the tests that prove it, or the reason why none was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.proofs.matrix.marks import marked
from tests.proofs.matrix.rows import FAULTS, NOT_RUN, RULINGS

HEAD = """# What is survived, and which test says so

Written by `.venv/bin/python -m tests.proofs.matrix --write`, which runs every test named here first and writes nothing
when one fails or cannot run here; a test holds this page and the marks in the tests equal. `pytest -m fault` runs them.

A row without a test is *not run*, with the reason: it is not known to hold. Tests of 15, 18 and 46
need namespaces of their own; a host that forbids them skips these tests with the words *not run*.
"""


def page() -> str:
    """The whole page."""
    faults, rulings = marked("fault"), marked("ruling")
    proved = sum(number in faults for number in FAULTS)
    lines = [HEAD, f"{proved} of {len(FAULTS)} faults have a test.\n", "## Faults\n"]
    lines += ["| | fault | what must hold | tests |", "|---|---|---|---|"]
    for number, (fault, demand) in FAULTS.items():
        lines.append(f"| {number} | {fault} | {demand} | {_told(faults, number, NOT_RUN)} |")
    lines += ["", "## Rulings\n", "| | what was settled | tests |", "|---|---|---|"]
    lines += [f"| {number} | {ruling} | {_told(rulings, number, {})} |" for number, ruling in RULINGS.items()]
    return "\n".join(lines) + "\n"


def _told(tests: Mapping[int, Sequence[str]], number: int, reasons: Mapping[int, str]) -> str:
    names = tests.get(number)
    if not names:
        return f"*not run*: {reasons.get(number, 'no test carries this number yet')}"
    files: dict[str, int] = {}
    for name in names:
        path = name.partition("::")[0].removeprefix("tests/")
        files[path] = files.get(path, 0) + 1
    return ", ".join(path if count == 1 else f"{path} ({count})" for path, count in files.items())
