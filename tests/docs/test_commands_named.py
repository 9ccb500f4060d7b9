"""Every `htbot ...` that the program tells somebody to run, in a message, a page or a help text, is a command."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import ROOT, text_of
from tests.docs.test_commands import TREE, complaint

SOURCES = sorted(path for kind in ("py", "html", "js") for path in (ROOT / "src/htbot").rglob(f"*.{kind}"))
CALL = re.compile(r"\bhtbot ((?:--)?[a-z][a-z-]*(?: +(?:--)?[a-z][a-z-]*)*)")
# What htbot does or is, where a sentence begins with its name.
PROSE = (
    "a and as at before cannot closes does failed for from has in is itself keeps knows may needs never of on or pid "
    "raises replaces runs that to version was were which will with without"
)


def sentences(path: Path) -> Iterator[str]:
    """Every text of a file: strings of a module with its fields as `0`, anything else as it stands."""
    text = text_of(path)
    if path.suffix != ".py":
        yield text
        return
    inside: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield "".join(part.value if isinstance(part, ast.Constant) else "0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def misnamed(sentence: str) -> list[str]:
    """Complaints about the commands in a sentence; the words after a command are checked as far as it takes any."""
    found = []
    for match in CALL.finditer(re.sub(r"\s+", " ", sentence)):
        words = match[1].split()
        if words[0] in PROSE.split():
            continue
        depth, current = 0, TREE
        while depth < len(words) and words[depth] in getattr(current, "commands", {}):
            current, depth = current.commands[words[depth]], depth + 1
        options = [word for word in words[depth:] if word.startswith("--")]
        named = words[: max(depth, 1)] if not hasattr(current, "commands") else words[: depth + 1]
        found.append(complaint([*named, *options[:1]]))
    return [line for line in found if line and not line.endswith("needs a command")]  # a family may be named as such


def test_commands_that_are_named_exist() -> None:
    said = [
        (str(path.relative_to(ROOT)), line) for path in SOURCES for text in sentences(path) for line in misnamed(text)
    ]
    assert said == []


def test_the_check_finds_what_does_not_exist() -> None:
    assert misnamed("run htbot fly, then go on") == ["htbot has no command fly"]
    assert misnamed("see htbot token make NAME") == ["htbot token has no command make"]
    assert misnamed("htbot resume --braker lifts it") == ["htbot resume has no option --braker"]
    assert misnamed("htbot resume --breaker lifts it, htbot never does") == []
