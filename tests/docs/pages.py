"""The documentation as tests read it: fences, inline code, links, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from htbot.settings import project_root

ROOT = project_root()
DOCS = ROOT / "docs"
PAGES = sorted([*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


def named(page: Path) -> str:
    """The page as a test's id."""
    return str(page.relative_to(ROOT))


def text_of(page: Path) -> str:
    """The page's text."""
    return page.read_text(encoding="utf-8")


def fences(page: Path, *languages: str) -> list[str]:
    """Contents of the code blocks in these languages."""
    return [body for language, body in _FENCE.findall(text_of(page)) if language in languages]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return _FENCE.sub("", text_of(page))


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks outside of code blocks."""
    return _INLINE.findall(prose(page))


def links(page: Path) -> list[tuple[bool, str, str]]:
    """(is a picture, text, target) of each link."""
    return [(bang == "!", " ".join(text.split()), target) for bang, text, target in _LINK.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """The anchors that headings get: lower case, blanks to dashes, punctuation dropped."""
    plain = [re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()) for heading in _HEADING.findall(prose(page))]
    return {heading.strip().replace(" ", "-") for heading in plain}


def rows(page: Path) -> Iterator[list[str]]:
    """The cells of every table row, headings left out."""
    lines = prose(page).splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not _is_rule(line) and not _is_rule(following):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]


def _is_rule(line: str) -> bool:
    return line.startswith("|-")
