from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS, fences
from tests.support.waiting import PATIENCE_S
from tests.unit.cli.conftest import Shell

from htbot.settings.load import variables
from htbot.settings.paper import PaperSettings

DESCRIBED = {"PAPER_START", "PAPER_END", "PAPER_BAR", "PAPER_ACCOUNTS", "PAPER_DATA", "PAPER_FAULTS"}
DESCRIBED |= {"PAPER_CONTROL_PORT"}


def test_help_has_groups_and_the_defaults_of_the_settings(shell: Shell) -> None:
    code, out, _ = shell("paper", "--help", COLUMNS="200")
    assert code == 0
    for group in ("Where it listens", "The world", "Time", "Accounts", "Bad days"):
        assert group in out
    told = dict(re.findall(r"\((PAPER_[A-Z_]+): ([^)]+)\)", " ".join(out.split())))
    defaults = {name: field.default for name, field in variables(PaperSettings)}
    assert len(told) == 14
    assert told.keys() >= DESCRIBED
    for name, text in told.items():
        if name in DESCRIBED:
            assert not defaults[name]
        else:
            assert text == (f"{defaults[name]:g}" if isinstance(defaults[name], float) else str(defaults[name]))


def test_a_mistake_on_the_command_line_is_told_as_such(shell: Shell) -> None:
    code, _, err = shell("paper", "--scenario", "foo", PAPER_SEED="x", PAPER_BAR="5x")
    assert code == 4
    assert sorted(err.splitlines()) == [
        "htbot: PAPER_BAR=5x (environment): must be a number and s, m, h or d, such as 5m",
        "htbot: PAPER_SCENARIO=foo (command line): must be walk, trend, chop, gap, halt or spike",
        "htbot: PAPER_SEED=x (environment): must be a whole number",
    ]


def test_at_a_terminal_it_says_how_to_use_it_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    screen, terminal = pty.openpty()
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    gateway = subprocess.Popen(
        [sys.executable, "-m", "htbot", "paper", "--port", str(port), "--start", "2024-05-14", "--scenario", "chop"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env=kept | {"HTBOT_ENV_FILE": os.devnull, "HTBOT_VAR_DIR": str(tmp_path)},
        text=True,
    )
    os.close(terminal)
    try:
        said = _read_until(screen, "books in")
        gateway.send_signal(signal.SIGINT)
        said += _read_until(screen, "goes on")
        _, errors = gateway.communicate(timeout=PATIENCE_S)
    finally:
        gateway.kill()
        os.close(screen)
    assert (gateway.returncode, errors) == (0, "")
    assert f"Paper gateway at 127.0.0.1:{port}: connect any IB program there. Ctrl-C stops it." in said
    assert "2024-05-14 09:" in said
    assert f"books in {tmp_path}/paper" in said
    assert "Stopped at 2024-05-14 09:" in said
    (shown,) = fences(DOCS / "guides/paper-gateway.md", "text")
    assert [_fixed(line) for line in shown.splitlines()] == [_fixed(line) for line in said.splitlines()[:4]]


def _fixed(line: str) -> str:
    """The line without what differs from world to world."""
    return " ".join(word for word in line.split() if not re.search(r"[0-9/]", word))


def _read_until(screen: int, word: str) -> str:
    said = ""
    while word not in said or not said.endswith("\n"):
        said += os.read(screen, 4096).decode()  # raises when the other end is closed
    return said
