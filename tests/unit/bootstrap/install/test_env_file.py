from __future__ import annotations

from pathlib import Path

import pytest

from htbot.bootstrap.install.env_file import is_readable_by_others, prepare_env_file
from htbot.settings import load_settings
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
    assert not is_readable_by_others(path)
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
