"""Error lines that the documentation quotes are lines that the code prints."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, ROOT, inline_code, named, rows

SOURCES = [*sorted((ROOT / "src/htbot").rglob("*.py")), ROOT / "scripts/venv.sh", ROOT / "restart.sh"]
QUOTED = {
    ROOT / "README.md": (0, "README.md"),
    DOCS / "reference/errors.md": (0, "errors.md"),
    DOCS / "reference/data-files.md": (1, "data-files.md"),
}


@cache
def spoken() -> str:
    """All source text with the joints of split strings and the fields of f-strings taken out."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    joined = re.sub(r"\"\s*\n\s*f?\"", "", text)
    return re.sub(r"\s+", " ", re.sub(r"\{[^{}]*\}", "\0", joined))


def fragments(line: str) -> list[str]:
    """Runs of plain words: what varies (names with values, numbers, what is left out) parts them."""
    runs = re.split(r"…|\S*=\S*|\S*\d\S*|`|:|;|\?", line)
    return [run.strip(" ,.()") for run in runs if len(run.split()) >= 2]


def quoted(page: Path) -> list[str]:
    """Lines in the column of error lines: more than two words, no command and no path."""
    column, _ = QUOTED[page]
    found = []
    for cells in rows(page):
        if len(cells) > column:
            codes = re.findall(r"`([^`]+)`", cells[column])
            found += [
                code
                for code in codes
                if len(code.split()) > 2 and not code.startswith(("htbot ", "./", "symbol ", "expiry "))
            ]
    return found


@pytest.mark.parametrize("page", QUOTED, ids=named)
def test_quoted_lines_are_printed_somewhere(page: Path) -> None:
    said = spoken()
    lines = quoted(page)
    assert len(lines) >= 8
    assert [(line, part) for line in lines for part in fragments(line) if part not in said] == []


def test_the_check_finds_what_nobody_says() -> None:
    assert fragments("PAPER_PORT=4102 is taken by another wizard") == ["is taken by another wizard"]
    assert "is taken by another wizard" not in spoken()
    assert "is taken by another program" in spoken()


def test_reasons_in_the_guides_are_said() -> None:
    said = spoken()
    quotes = [
        code for name in ("start/first-trade.md", "guides/halt-and-flatten.md") for code in inline_code(DOCS / name)
    ]
    wanted = [part for code in quotes if "…" in code for part in fragments(code)]
    assert wanted
    assert [part for part in wanted if part not in said] == []
