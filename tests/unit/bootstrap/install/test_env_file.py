from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from htbot.bootstrap.install.env_file import prepare_env_file, require_private
from htbot.domain.errors import ConfigurationError
from htbot.settings import load_settings, project_root
from htbot.settings.example import example


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".env.example").write_text(example())
    return tmp_path


def token_of(root: Path) -> str:
    token = load_settings(root, {}).api.token
    assert token is not None
    return token.get_secret_value()


def test_the_first_start_makes_a_private_file_with_a_fresh_token(root: Path) -> None:
    path = prepare_env_file(root, {})
    assert path.stat().st_mode & 0o777 == 0o600
    require_private(path)
    first = token_of(root)
    assert len(first) >= 32
    path.unlink()
    prepare_env_file(root, {})
    assert token_of(root) != first


def test_a_second_start_changes_nothing(root: Path) -> None:
    before = prepare_env_file(root, {}).read_bytes()
    assert prepare_env_file(root, {}).read_bytes() == before


@pytest.mark.parametrize("yours", ["HTBOT_QTY=2", "HTBOT_QTY=2\r\n", "HTBOT_QTY=2\nHTBOT_API_TOKEN=\nPAPER_SEED=3\n"])
def test_your_file_keeps_its_lines_and_gets_a_token(root: Path, yours: str) -> None:
    path = root / ".env"
    path.write_bytes(yours.encode())
    path.chmod(0o644)
    prepare_env_file(root, {})
    assert len(token_of(root)) >= 32
    assert load_settings(root, {}).strategy.quantity == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_token_of_yours_stays(root: Path) -> None:
    (root / ".env").write_text("export HTBOT_API_TOKEN = 'abcdefghijklmnopqrstuvwxyz'\n")
    prepare_env_file(root, {})
    assert token_of(root) == "abcdefghijklmnopqrstuvwxyz"


def test_a_token_in_the_environment_needs_no_file(root: Path) -> None:
    prepare_env_file(root, {"HTBOT_API_TOKEN": "abcdefghijklmnopqrstuvwxyz"})
    assert not (root / ".env").exists()


@pytest.mark.fault(44)
@pytest.mark.fault(62)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o622])
def test_a_file_that_others_may_read_is_named_with_the_way_out(root: Path, mode: int) -> None:
    path = root / ".env"
    path.write_text("HTBOT_API_TOKEN=abcdefghijklmnopqrstuvwxyz\n")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"has mode {mode:o}, others can read it: chmod 600 "):
        require_private(prepare_env_file(root, {}))
    path.chmod(0o600)
    require_private(path)


@pytest.mark.fault(44)
@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("HTBOT_API_TOKEN=abcdefghijklmnopqrstuvwxyz\n", 0o644, "others can read it"),
        ("HTBOT_API_TOKEN=abcdefghijklmnopqrstuvwxyz\nIB_PORT=4001\n", 0o600, "IB_PORT=4001 is a live port"),
        ("HTBOT_API_TOKEN=abcdefghijklmnopqrstuvwxyz\nIB_HOST\n", 0o600, "not NAME=value"),
        ('HTBOT_API_TOKEN="abcdefghijklmnopqrstuvwxyz\n', 0o600, "unbalanced quote in HTBOT_API_TOKEN"),
        (None, None, "no such file"),
    ],
)
def test_nothing_starts_on_a_file_that_is_wrong(tmp_path: Path, text: str | None, mode: int | None, said: str) -> None:
    path, var = tmp_path / "mine.env", tmp_path / "var"
    if text is not None and mode is not None:
        path.write_text(text)
        path.chmod(mode)
    environ = {"PATH": os.environ["PATH"], "HTBOT_ENV_FILE": str(path), "HTBOT_VAR_DIR": str(var)}
    command = [sys.executable, "-m", "htbot.bootstrap.install", "start"]
    done = subprocess.run(command, env=environ, cwd=project_root(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert said in done.stderr
    assert not var.exists()
