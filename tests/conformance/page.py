"""docs/reference/conformance.md: the table that the command writes."""

from __future__ import annotations

from .clients import LIBRARIES, ROOT
from .registry import ABSENT, FAIL, PASS, Result

PAGE = ROOT / "docs/reference/conformance.md"
_HEAD = """# Conformance

What client libraries of other people get from the paper gateway. Each row is a request and something that must be true
of its answer. It was run with each library, unmodified, against a fresh gateway: synthetic market, speed {speed:g},
from {start} on.

- `PASS`: IB's data, in IB's form and order
- `error N`: IB itself answers with this code, and so does the gateway
- `-`: the library, or the protocol version that it speaks, has no such request

The checks are in `tests/conformance/`; a test runs them all and compares them with this page.

```bash
.venv/bin/python -m tests.conformance            # what fails
.venv/bin/python -m tests.conformance --write    # this page
```

`./test.sh` has installed the libraries; `--client ibapi --only Orders --verbose` runs a part and tells every line.

| | {titles} |
|---|{rules}|
{totals}
"""


def page(results: dict[str, list[Result]], start: str, speed: float) -> str:
    """The page; `results` by library, each in the order of the table."""
    titles = [library.title for library in LIBRARIES]
    head = _HEAD.format(
        start=start,
        speed=speed,
        titles=" | ".join(titles),
        rules="---|" * (len(titles) - 1) + "---",
        totals="\n".join(_totals(results)),
    )
    return head + "".join(_parts(results))


def cell(result: Result) -> str:
    """One outcome as the page shows it."""
    if result.outcome == ABSENT:
        return "-"
    return result.outcome.replace("IB answers with ", "")


def rows(results: dict[str, list[Result]]) -> list[tuple[str, str, str, list[str]]]:
    """Part, request, behaviour and a cell for each library."""
    columns = [{(row.part, row.request, row.behaviour): cell(row) for row in column} for column in results.values()]
    return [(*key, [column[key] for column in columns]) for key in columns[0]]


def _totals(results: dict[str, list[Result]]) -> list[str]:
    lines = []
    for name, fits in (
        ("checks", lambda row: row.outcome != ABSENT),
        ("PASS", lambda row: row.outcome == PASS),
        ("error, as IB", lambda row: row.outcome not in {PASS, ABSENT, FAIL}),
        ("FAIL", lambda row: row.outcome == FAIL),
    ):
        counts = [str(sum(map(fits, column))) for column in results.values()]
        lines.append(f"| {name} | " + " | ".join(counts) + " |")
    return lines


def _parts(results: dict[str, list[Result]]) -> list[str]:
    lines, part = [], ""
    for heading, request, behaviour, cells in rows(results):
        if heading != part:
            part = heading
            short = [library.short for library in LIBRARIES]
            lines.append(
                f"\n## {part}\n\n| request | behaviour | {' | '.join(short)} |\n|---|---|{'---|' * len(short)}\n"
            )
        lines.append(f"| `{request}` | {behaviour} | {' | '.join(cells)} |\n")
    return lines
