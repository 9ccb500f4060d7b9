from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from htbot.cli.main import run

Shell = Callable[..., tuple[int, str, str]]
_OURS = ("HTBOT_", "PAPER_", "IB_", "IBKR_", "SMTP_", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "KILL_SWITCH")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs a command line in an instance where nothing was ever set up; exit code, output, errors."""
    for name in os.environ:
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTBOT_ENV_FILE", os.devnull)
    monkeypatch.setenv("HTBOT_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("KILL_SWITCH_FILE", str(tmp_path / "STOP"))

    def call(*arguments: str, **environ: str) -> tuple[int, str, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = run(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call
