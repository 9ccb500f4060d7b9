from __future__ import annotations

from pathlib import Path

from htbot.settings import Settings, load_settings
from htbot.settings.changes import changed_variables


def settings(folder: Path, **environment: str) -> Settings:
    return load_settings(folder, {"HTBOT_ENV_FILE": "/dev/null", "REDIS_URL": "redis://127.0.0.1:1/0", **environment})


def test_changes_are_named_and_values_are_not_told(tmp_path: Path) -> None:
    before = settings(tmp_path, HTBOT_POLL_SECONDS="30", HTBOT_PIN="482913")
    after = settings(tmp_path, HTBOT_POLL_SECONDS="60", HTBOT_PIN="593024")
    assert changed_variables(before, before) == []
    assert changed_variables(before, after) == ["HTBOT_PIN", "HTBOT_POLL_SECONDS"]
