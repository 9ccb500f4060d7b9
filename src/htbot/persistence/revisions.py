"""The newest revision that the code in this folder knows, read without alembic: the desk must not load it."""

from __future__ import annotations

import re
from pathlib import Path

from htbot.domain.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[3]
_NAMED = re.compile(r'^(revision|down_revision) = (?:"([^"]+)"|None)$', re.MULTILINE)


def newest_revision(project: Path = PROJECT) -> str:
    """The revision that no other one builds on. Read it once, when a process starts: files change under it.

    Raises:
        ConfigurationError: there are no migrations, or they do not form one line.
    """
    folder = project / "alembic" / "versions"
    named: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*.py")):
        named += _NAMED.findall(path.read_text(encoding="utf-8"))
    made = {revision for kind, revision in named if kind == "revision"}
    built_on = {revision for kind, revision in named if kind == "down_revision"}
    heads = made - built_on
    if len(heads) != 1:
        raise ConfigurationError(f"{folder} must end in one revision, not in {sorted(heads)}: run from a checkout")
    return heads.pop()
