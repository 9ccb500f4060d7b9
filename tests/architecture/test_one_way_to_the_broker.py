"""No process but the desk can open a session with a broker (RULINGS 16)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from htbot.settings import project_root

SOURCE = project_root() / "src"
CLIENT, ADAPTER, DESK = "ib_async", "htbot.adapters.ib", "htbot.desk"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def importers_of(package: str) -> set[str]:
    """Modules of htbot, outside of the package, that import from it."""
    texts = {module_of(path): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    named = {name: text for name, text in texts.items() if all(part in text for part in package.split("."))}
    found = {module for module, text in named.items() if any(within(name, package) for name in imported(text))}
    return {name for name in found if not within(name, package)}


@pytest.mark.ruling(16)
def test_the_client_is_reached_through_the_desk_only() -> None:
    assert importers_of(CLIENT), "the search finds imports"
    assert {name for name in importers_of(CLIENT) if not within(name, ADAPTER)} == set()
    assert {name for name in importers_of(ADAPTER) if not within(name, DESK)} == set()
    assert importers_of(DESK) == set(), "nobody runs the desk's code but its own process"
