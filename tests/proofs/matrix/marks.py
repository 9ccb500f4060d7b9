"""Which test carries the number of which fault or ruling, read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]


@cache  # all sources are read for it
def marked(kind: str) -> dict[int, list[str]]:
    """`path::test` by the number of its `pytest.mark.<kind>(number)`; marks of a module count for each of its tests."""
    found: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if f"{kind}(" not in text:
            continue
        tree = ast.parse(text)
        everywhere = [number for node in tree.body for number in _of_module(node, kind)]
        for name, node in _tests(tree):
            for number in sorted({*everywhere, *(n for mark in node.decorator_list for n in _numbers(mark, kind))}):
                found.setdefault(number, []).append(f"{path.relative_to(TESTS.parent)}::{name}")
    return found


def _tests(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, node


def _of_module(node: ast.stmt, kind: str) -> Iterator[int]:
    if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets):
        yield from _numbers(node.value, kind)


def _numbers(tree: ast.expr, kind: str) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == kind:
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, int))
