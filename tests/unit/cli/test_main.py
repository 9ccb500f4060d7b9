from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Shell

from htbot import __version__

DEAD = {"DATABASE_URL": "postgresql://htbot:canary-password@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}


def test_version_and_help(shell: Shell) -> None:
    assert shell("--version") == (0, f"htbot {__version__}\n", "")
    code, out, _ = shell("--help")
    assert code == 0
    for command in ("status", "why", "halt", "flatten", "paper", "demo", "config", "token"):
        assert command in out


MISUSED = (
    ["nothing"],
    ["status", "--nothing"],
    ["why"],
    ["halt"],
    ["settle", "trade"],
    ["settle", "trade", "--leg", "11=2.50", "--leg", "12"],
    ["settle", "trade", "--leg", "11=2.50", "--leg", "11=2.50"],
    ["token", "create", "x", "--role", "king"],
)
READS = ("status", "positions", "orders", "fills", "trades", "signals", "pnl", "alerts", "account")


@pytest.mark.parametrize("line", MISUSED, ids=" ".join)
def test_misuse_is_one_line_and_code_one(shell: Shell, line: list[str]) -> None:
    code, out, err = shell(*line)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("htbot: ")


@pytest.mark.parametrize("command", READS)
def test_nothing_set_up_is_not_running(shell: Shell, command: str) -> None:
    code, out, err = shell(command, "--json")
    assert (code, out) == (3, "")
    assert "run ./restart.sh" in err


def test_dead_postgres_is_not_running_and_keeps_the_password(shell: Shell) -> None:
    code, _, err = shell("status", **DEAD)
    assert code == 3
    assert err.startswith("htbot: PostgreSQL did not answer")
    assert "canary" not in err


def test_halt_works_with_everything_dead(shell: Shell, tmp_path: Path) -> None:
    code, out, _ = shell("halt", "--reason", "news", "--json", **DEAD)
    told = json.loads(out)
    assert (code, told["halted"], told["by"]) == (0, True, ["file"])
    assert "news" in (tmp_path / "STOP").read_text()


def test_halt_works_with_nothing_set_up_and_with_broken_settings(shell: Shell, tmp_path: Path) -> None:
    code, out, _ = shell("halt", "--reason", "news")
    assert code == 0
    assert out.startswith("halted by file")
    assert (tmp_path / "STOP").exists()


def test_flatten_wants_a_yes(shell: Shell) -> None:
    code, _, err = shell("flatten")
    assert code == 1
    assert "--yes" in err


def test_config_check_names_every_mistake(shell: Shell) -> None:
    code, out, _ = shell("config", "check", "--json")
    assert code == 0
    assert json.loads(out)["mode"] == "paper gateway"
    code, _, err = shell("config", "check", HTBOT_QTY="0", HTBOT_SYMBOL="TSLA")
    assert code == 4
    assert "HTBOT_QTY" in err
    assert "HTBOT_SYMBOL" in err


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (["paper", "--speed", "fast"], "PAPER_SPEED"),
        (["paper", "--data", "/nowhere.csv"], "nowhere.csv"),
        (["paper", "--accounts", "U1"], "PAPER_ACCOUNTS"),
        (["demo", "--data", "/nowhere.csv"], "/nowhere.csv"),
        (["demo", "--symbol", "TSLA"], "TSLA"),
        (["demo", "--speed", "fast"], "fast"),
    ],
)
def test_bad_options_are_configuration_errors(shell: Shell, line: list[str], word: str) -> None:
    code, _, err = shell(*line)
    assert code == 4
    assert word in err
    assert "Traceback" not in err


def test_doctor_says_what_fails_and_the_way_out(shell: Shell) -> None:
    code, out, _ = shell("doctor", "--json", HTBOT_API_PORT="1024", PAPER_PORT="1025")
    told = json.loads(out)
    states = {finding["check"]: finding["state"] for finding in told["findings"]}
    assert (code, told["verdict"]) == (3, "NO-GO")
    assert states["settings"] == "ok"
    assert states["record"] == states["redis"] == states["api"] == states["gateway"] == "FAIL"


def test_the_command_starts_without_heavy_libraries() -> None:
    heavy = ("pandas", "talib", "sqlalchemy", "fastapi", "celery", "ib_async", "apprise", "redis")
    script = f"import sys, htbot.cli.main; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
