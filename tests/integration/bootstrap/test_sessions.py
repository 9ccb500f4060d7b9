from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from htbot.bootstrap.sessions import main
from htbot.persistence.engine import Database
from htbot.persistence.repositories import SessionRepository


def test_the_program_fills_the_table(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ENV_FILE", os.devnull), ("VAR_DIR", str(tmp_path / "var"))):
        monkeypatch.setenv(f"HTBOT_{name}", value)
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert main() == 0
    with database.transaction() as session:
        half, holiday = (SessionRepository(session).get(date(2022, 11, day)) for day in (25, 24))
    assert half is not None
    assert half.early_close
    assert holiday is None
