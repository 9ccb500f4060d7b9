"""Every kind of message that the code can write has its row in the guide on mails, and no row is of another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, ROOT, text_of

from htbot.alerts.troubles import trouble_of
from htbot.execution.disagreement import Verdict
from htbot.services.halt_record import CIRCUIT_BREAKER

GUIDE = DOCS / "guides" / "email.md"
NAMED = {
    "CIRCUIT_BREAKER": {CIRCUIT_BREAKER},
    "kind": {"connection_lost", "connection_restored"},
    "HALT_SOURCE": {"desk"},
    "reconciliation.*": {
        f"reconciliation.{verdict.value.lower()}" for verdict in (Verdict.HALT_ENTRIES, Verdict.HEALED)
    },
    "error.*": set(),  # `error_alert` itself: its callers name the sources
}
"""What no literal is, by the name or the pattern that stands in its place."""


def pattern(value: ast.expr) -> Iterator[str]:
    """The texts that an expression may be: `*` stands for what is put in; a name stays a name."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name):
            yield name
        case ast.IfExp(body=one, orelse=other):
            yield from (*pattern(one), *pattern(other))
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else "*" for part in parts)
        case _:
            raise AssertionError(f"line {value.lineno}: {ast.unparse(value)} is no kind that this test can read")


def kinds(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        if node.func.id == "Message" and "kind" in named and "dedup_key" in named:
            for text in pattern(named["kind"]):
                yield from NAMED.get(text, {text})
        elif node.func.id == "error_alert":
            for source in pattern(node.args[0]):
                yield from (f"error.{one}" for one in NAMED.get(source, {source}))


def written() -> set[str]:
    files = (
        path for path in (ROOT / "src").rglob("*.py") if "Message(" in (text := text_of(path)) or "error_alert(" in text
    )
    return {kind for path in files for kind in kinds(ast.parse(text_of(path)))}


def rows() -> list[list[str]]:
    table = text_of(GUIDE).partition("| its kind |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]


def test_every_kind_of_message_has_its_row() -> None:
    told = {kind for row in rows() for kind in re.findall(r"`([^`]+)`", row[1])}
    assert told == written()


@pytest.mark.parametrize(
    "source", sorted(kind.removeprefix("error.") for kind in written() if kind.startswith("error."))
)
def test_the_row_of_an_error_has_its_title(source: str) -> None:
    if source in {"reconciliation", "foreign"}:
        return  # their titles name what differs
    title = trouble_of(source.replace("*", "NAME")).title.partition(":")[0]
    (row,) = (row for row in rows() if f"`error.{source}`" in row[1])
    assert title in row[0]


def test_a_kind_that_has_no_row_is_found() -> None:
    tree = ast.parse('Message(kind="new", dedup_key="k")\nerror_alert(f"strategy {name}", text, at)')
    assert list(kinds(tree)) == ["new", "error.strategy *"]
    assert Path(GUIDE).is_file()
