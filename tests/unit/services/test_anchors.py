from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from htbot.persistence.records import Link
from htbot.services.anchors import Anchor, AnchorFile, AnchorTrouble

AT = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
HEADS = (Link("audit_log", "htbot-api", 3, "ab" * 32), Link("decision_journal", "htbot-desk-orders", 70, "cd" * 32))


@pytest.fixture
def file(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "desk" / "audit.head")


def test_what_is_noted_is_read_in_its_order(file: AnchorFile) -> None:
    assert file.read() == []
    file.append(HEADS[:1], "start", AT)
    file.append(HEADS, "session end", AT)
    assert file.read() == [Anchor(AT, "start", HEADS[:1]), Anchor(AT, "session end", HEADS)]
    assert file.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("line", ["", "{}", "not json", '{"at": "today", "why": "", "heads": []}', '{"heads": [{}]}'])
def test_a_line_that_is_no_anchor_is_named(file: AnchorFile, line: str) -> None:
    file.append(HEADS, "start", AT)
    with file.path.open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(AnchorTrouble, match=r"line 2 of .*audit.head is no anchor"):
        file.read()


def test_a_link_in_its_place_is_not_followed(file: AnchorFile, tmp_path: Path) -> None:
    file.path.parent.mkdir()
    file.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AnchorTrouble, match="cannot write"):
        file.append(HEADS, "start", AT)
    assert not (tmp_path / "elsewhere").exists()
