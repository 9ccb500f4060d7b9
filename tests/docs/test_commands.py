"""Every command line in the documentation is one that exists, and the cheap ones are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import DOCS, PAGES, ROOT, fences, inline_code, named, rows, text_of

from htbot.cli.main import commands
from htbot.settings.load import declared_names

TREE: Any = commands()
HTBOT = {"htbot", ".venv/bin/htbot"}
PYTHON = {"python", ".venv/bin/python"}
HOST_TOOLS = {"touch", "rm", "chmod", "cd", "git", "curl", "apt", "export"}
SHELL_NAMES = {"TOKEN", "PYTHON", "HTBOT_ENV_FILE", "HYPOTHESIS_PROFILE"}
ASSIGNMENT = re.compile(r"^([A-Z][A-Z0-9_]*)=")


def command_lines(page: Path) -> Iterator[list[str]]:
    """Words of each command in shell blocks and inline code, comments and continuations resolved."""
    for block in fences(page, "bash", "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s&&\s", line):
                words = shlex.split(re.sub(r"\$\([^)]*\)", "$", part), comments=True)
                if words:
                    yield words
    for code in inline_code(page):
        first = code.split()[0]
        if first in HTBOT | PYTHON or first.startswith(("./restart.sh", "./test.sh")):
            yield shlex.split(code)


def bare(words: list[str]) -> list[str]:
    """The command without the assignments before it."""
    while words and ASSIGNMENT.match(words[0]):
        words = words[1:]
    return words


def all_commands() -> list[tuple[str, list[str]]]:
    return [(named(page), words) for page in PAGES for words in command_lines(page)]


def complaint(words: list[str]) -> str | None:
    """What is wrong with the words after `htbot`, None when such a command exists."""
    current, path, words = TREE, ["htbot"], list(words)
    arguments = 0
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            option = next((param for param in current.params if word in param.opts), None)
            if option is None and word != "--help":
                return f"{' '.join(path)} has no option {word}"
            if option is not None and not option.is_flag and words and not words[0].startswith("--"):
                words.pop(0)
        elif hasattr(current, "commands"):
            if word not in current.commands:
                return f"{' '.join(path)} has no command {word}"
            current, path = current.commands[word], [*path, word]
        else:
            arguments += 1
    if hasattr(current, "commands") and current is not TREE and not current.invoke_without_command:
        return f"{' '.join(path)} needs a command"
    taken = [param for param in current.params if param.param_type_name == "argument"]
    expected = 100 if any(param.nargs == -1 for param in taken) else len(taken)
    return f"{' '.join(path)} takes {expected} arguments, not {arguments}" if arguments > expected else None


def restart_complaint(words: list[str]) -> str | None:
    source = text_of(ROOT / "src/htbot/bootstrap/install/__main__.py")
    known = {"start", "stop", "status", *re.findall(r'"(--[a-z-]+)"', source)}
    return next((f"./restart.sh knows no {word}" for word in words if word not in known), None)


def test_there_are_commands_to_check() -> None:
    assert len([words for _, words in all_commands() if bare(words)[:1] and bare(words)[0] in HTBOT]) > 40


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_exist(page: Path) -> None:
    complaints: list[str | None] = []
    for words in map(bare, command_lines(page)):
        if not words:
            continue
        name, rest = words[0], words[1:]
        if name in HTBOT:
            complaints.append(complaint(rest))
        elif name == "./restart.sh":
            complaints.append(restart_complaint(rest))
        elif name in PYTHON and rest[:1] == ["-m"]:
            complaints.append(None if find_spec(rest[1]) else f"no module {rest[1]}")
        elif name.startswith(("./", ".ci/")):
            complaints.append(None if (ROOT / name).is_file() else f"no script {name}")
        elif name not in HOST_TOOLS:
            complaints.append(f"unknown command {name}")
    assert [found for found in complaints if found] == []


def test_the_check_finds_what_does_not_exist() -> None:
    assert complaint(["fly"]) == "htbot has no command fly"
    assert complaint(["demo", "--altitude", "3"]) == "htbot demo has no option --altitude"
    assert complaint(["token"]) == "htbot token needs a command"
    assert complaint(["status", "now"]) == "htbot status takes 0 arguments, not 1"
    assert restart_complaint(["stop", "--quickly"]) == "./restart.sh knows no --quickly"


def test_variables_before_commands_are_settings() -> None:
    names = {match[1]: page for page, words in all_commands() for word in words if (match := ASSIGNMENT.match(word))}
    known = set(declared_names().canonical) | SHELL_NAMES
    assert {name: page for name, page in names.items() if name not in known} == {}


def test_the_reference_has_every_command_with_its_options() -> None:
    documented: dict[str, set[str]] = {}
    for cells in rows(DOCS / "reference/cli.md"):
        if cells[0].startswith("`htbot ") and "--version" not in cells[0]:
            name = " ".join(word for word in cells[0].strip("`").split()[1:] if not word.isupper())
            documented[name] = set(re.findall(r"`(--[a-z-]+)`", cells[1]))
    assert documented == dict(commands(TREE, ()))


def commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        if not hasattr(command, "commands") or command.invoke_without_command:
            options = {opt for param in command.params if param.param_type_name == "option" for opt in param.opts}
            yield " ".join((*path, name)), options - {"--help"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("htbot --help", 0),
        ("htbot --version", 0),
        ("htbot config check", 0),
        ("htbot config check --json", 0),
        ("htbot status", 3),
        ("htbot why TRADE_ID", 3),
        ("htbot flatten", 1),
        ("htbot fly", 1),
    ],
)
def test_cheap_commands_end_as_documented(line: str, code: int, tmp_path: Path) -> None:
    """In a folder where nothing was ever started."""
    words = shlex.split(line)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ = kept | {"HTBOT_ENV_FILE": os.devnull, "HTBOT_VAR_DIR": str(tmp_path / "var")}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    if code:
        assert len(done.stderr.strip().splitlines()) == 1
    else:
        assert done.stdout.strip()


def test_the_lock_command_is_one_that_uv_understands() -> None:
    lines = [words for words in command_lines(ROOT / "CONTRIBUTING.md") if "compile" in words]
    assert len(lines) == 2
    if find_spec("uv") is None:
        pytest.skip("uv is not installed here")
    for words in lines:
        done = subprocess.run([sys.executable, *words[1:], "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (ROOT / words[-3]).is_file()
        assert (ROOT / words[-1]).is_file()
