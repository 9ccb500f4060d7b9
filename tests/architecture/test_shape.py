"""Ceilings and names of ARCHITECTURE section 8."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from htbot.settings import project_root

ROOT = project_root()
SOURCE = ROOT / "src" / "htbot"
FILES = sorted(SOURCE.rglob("*.py"))
FILE_LINES = 400
WIRE_TABLE_LINES = 600
FUNCTION_LINES = 60
ARGUMENTS = 6
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "tools"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the signature to the end, without the docstring."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Arguments without self and cls."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def is_declaration_for_a_library(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Typer and FastAPI read a command's options from its signature: those may be long."""
    calls = [part.func if isinstance(part, ast.Call) else part for part in function.decorator_list]
    return any(
        isinstance(call, ast.Attribute) and call.attr in {"command", "callback", "get", "post"} for call in calls
    )


def test_there_is_something_to_measure() -> None:
    assert len(FILES) > 30


def test_files_are_short() -> None:
    limits = {path: WIRE_TABLE_LINES if "wire" in path.parts else FILE_LINES for path in FILES}
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert [f"{named(path)}: {lengths[path]} lines" for path in FILES if lengths[path] > limits[path]] == []


def test_functions_are_short() -> None:
    long = [
        f"{named(path)}:{function.lineno} {function.name}: {body_lines(function)} lines"
        for path in FILES
        for function in functions(path)
        if body_lines(function) > FUNCTION_LINES
    ]
    assert long == []


def test_functions_take_few_arguments() -> None:
    many = [
        f"{named(path)}:{function.lineno} {function.name}: {arguments(function)} arguments"
        for path in FILES
        for function in functions(path)
        if arguments(function) > ARGUMENTS and not is_declaration_for_a_library(function)
    ]
    assert many == []


def test_modules_are_named_by_what_they_hold() -> None:
    assert [
        named(path) for path in FILES if FORBIDDEN_NAMES & set(path.with_suffix("").parts[len(SOURCE.parts) :])
    ] == []


def test_annotations_are_lazy_everywhere() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    with_code = [path for path in FILES if len(ast.parse(texts[path]).body) > 1]
    assert [named(path) for path in with_code if "from __future__ import annotations" not in texts[path]] == []


def test_packages_are_packages() -> None:
    folders = {path.parent for path in FILES}
    assert [named(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", ["print", "breakpoint"])
def test_only_the_command_line_prints(name: str) -> None:
    allowed = (SOURCE / "cli", SOURCE / "bootstrap" / "install")
    found = [
        f"{named(path)}:{node.lineno}"
        for path in FILES
        if not is_run_by_name(path) and not any(path.is_relative_to(place) for place in allowed)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
    assert found == []


def is_run_by_name(path: Path) -> bool:
    """Whether `python -m` runs the module, which may then say something on its standard output."""
    return path.name == "__main__.py" or '__name__ == "__main__"' in path.read_text(encoding="utf-8")


def test_only_settings_read_the_environment() -> None:
    allowed = (SOURCE / "settings", SOURCE / "bootstrap")
    found = [
        f"{named(path)}:{node.lineno}"
        for path in FILES
        if not any(path.is_relative_to(place) for place in allowed)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
        and isinstance(node.value, ast.Name) and node.value.id == "os"
    ]  # fmt: skip
    assert found == []


def test_broad_excepts_stand_in_few_places_only() -> None:  # ARCHITECTURE section 6, docs/decisions/0020 and 0029
    services = ("alert_delivery.py", "doorman.py", "board/feed.py")
    edges = (SOURCE / "dashboard" / "reading.py", SOURCE / "dashboard" / "screen.py")
    served = (SOURCE / "services" / name for name in services)
    allowed = (SOURCE / "desk", SOURCE / "tasks" / "base.py", SOURCE / "engine" / "guarding.py", *served, *edges)
    found = [
        f"{named(path)}:{node.lineno}"
        for path in FILES
        if not any(path.is_relative_to(place) for place in allowed)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not always_raises(node)
    ]
    assert found == []


def is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in {"Exception", "BaseException"}
    )


def always_raises(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)
