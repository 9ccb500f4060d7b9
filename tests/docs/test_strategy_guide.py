"""The guide to a strategy of one's own works: its commands are run, and what they write passes every check at once."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, ROOT, fences, inline_code
from tests.docs.test_commands import command_lines

from htbot.bootstrap.scaffold import new_strategy

GUIDE = DOCS / "guides/write-a-strategy.md"
FOLDER = "examples/strategies"


def run(words: list[str], place: Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A command in an instance of its own, whose strategies are in `place`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ours = {"HTBOT_ENV_FILE": os.devnull, "HTBOT_VAR_DIR": str(place / "var"), "HTBOT_SHARED_DATA": str(place)}
    environ = kept | ours | {"HTBOT_STRATEGY_PATH": str(place / FOLDER)}
    return subprocess.run([sys.executable, *words], cwd=cwd, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_of_the_guide(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    told = []
    for words in command_lines(GUIDE):
        command = [word.replace(FOLDER, str(tmp_path / FOLDER)) for word in words]
        module = command[2] if command[0].endswith("python") else "htbot"
        rest = command[3:] if command[0].endswith("python") else command[1:]
        done = run(["-m", module, *rest], tmp_path)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
        told.append(done.stdout)
    written, tested, *backtests = told
    assert [line for line in written.splitlines() if line.startswith(str(tmp_path))] == [
        str(tmp_path / name) for name in inline_code(GUIDE) if name.startswith(f"{FOLDER}/")
    ]
    assert re.search(r"\d+ passed", tested)
    assert len(backtests) == 2
    assert all("compiled" in text for text in backtests)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_written_passes_lint_format_and_types(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    files = new_strategy("two_words", tmp_path / FOLDER)
    for command in (["ruff", "check", "--no-cache", "."], ["ruff", "format", "--no-cache", "--check", "."]):
        done = run(["-m", *command], tmp_path, tmp_path)
        assert done.returncode == 0, done.stdout
    done = run(["-m", "mypy", str(files.strategy)], tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_hook_and_the_setting_shown_are_those_that_are_written(tmp_path: Path) -> None:
    text = new_strategy("shown", tmp_path).strategy.read_text(encoding="utf-8")
    hook, setting = fences(GUIDE, "python")
    assert textwrap.indent(hook, "    ") in text
    assert textwrap.indent(setting, "    ") in text
