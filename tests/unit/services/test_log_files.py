from __future__ import annotations

import json
from pathlib import Path

from htbot.services.log_files import LogFiles


def line(second: int, event: str, level: str = "info") -> str:
    return json.dumps({"timestamp": f"2026-03-03T15:00:{second:02}Z", "level": level, "event": event, "logger": "x"})


def test_lines_of_all_programs_are_one_list_with_the_newest_first(tmp_path: Path) -> None:
    (tmp_path / "desk.log").write_text("\n".join([line(1, "one"), line(3, "three"), "half a li"]))
    (tmp_path / "api.log").write_text("\n".join(["{broken", "[]", '{"event": "no time"}', line(2, "two", "warning")]))
    files = LogFiles(tmp_path)
    assert [(one.event, one.program) for one in files.tail()] == [("three", "desk"), ("two", "api"), ("one", "desk")]
    assert [one.event for one in files.tail(1)] == ["three"]
    assert [one.event for one in files.tail(program="api")] == ["two"]
    assert [one.event for one in files.tail(least="warning")] == ["two"]
    assert files.programs() == ["api", "desk"]


def test_of_a_large_file_only_the_end_is_read(tmp_path: Path) -> None:
    (tmp_path / "desk.log").write_text("\n".join(line(number % 60, "x" * 500) for number in range(2000)))
    assert 0 < len(LogFiles(tmp_path).tail(10_000)) < 400


def test_an_unknown_level_is_shown_rather_than_hidden(tmp_path: Path) -> None:
    (tmp_path / "desk.log").write_text(line(1, "odd", "fatal"))
    assert [one.event for one in LogFiles(tmp_path).tail(least="critical")] == ["odd"]


def test_without_logs_there_are_no_lines(tmp_path: Path) -> None:
    assert LogFiles(tmp_path / "none").tail(program="../etc/passwd") == []
