from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from htbot.domain.errors import ConfigurationError
from htbot.services.kill_switch import KillSwitch, SwitchStuck

AT = datetime(2022, 8, 26, 16, tzinfo=UTC)


@pytest.fixture
def switch(tmp_path: Path) -> KillSwitch:
    return KillSwitch(tmp_path / "STOP")


def test_set_tells_who_and_why_and_only_its_owner_reads_it(switch: KillSwitch) -> None:
    assert switch.set("bad\nnews", "cli:ann", AT)
    assert switch.present()
    assert "by cli:ann: bad news" in switch.told()
    assert stat.S_IMODE(switch.path.stat().st_mode) == 0o600


def test_our_file_is_removed_by_resume(switch: KillSwitch) -> None:
    switch.set("news", "cli:ann", AT)
    assert switch.clear_ours()
    assert not switch.present()
    assert not switch.clear_ours()


@pytest.mark.parametrize("content", ["", "stop", "\xff", "x" * 10_000])
def test_file_made_by_hand_is_neither_written_nor_removed(switch: KillSwitch, content: str) -> None:
    switch.path.write_bytes(content.encode("latin-1"))
    assert not switch.set("news", "cli:ann", AT)
    assert not switch.clear_ours()
    assert switch.path.read_bytes() == content.encode("latin-1")


@pytest.mark.fault(62)
def test_link_and_folder_halt_and_are_not_followed(switch: KillSwitch, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("htbot halt")
    switch.path.symlink_to(target)
    assert switch.present()
    assert not switch.set("news", "cli:ann", AT)
    assert not switch.clear_ours()
    assert target.read_text() == "htbot halt"
    switch.path.unlink()
    switch.path.mkdir()
    assert switch.present()
    assert not switch.clear_ours()


@pytest.mark.fault(62)
def test_dangling_link_halts(switch: KillSwitch, tmp_path: Path) -> None:
    switch.path.symlink_to(tmp_path / "nowhere")
    assert switch.present()
    assert not switch.set("news", "cli:ann", AT)
    assert not (tmp_path / "nowhere").exists()


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SwitchStuck, match="cannot write"):
        KillSwitch(tmp_path / "none" / "STOP").set("news", "cli:ann", AT)


@pytest.mark.fault(62)
@pytest.mark.parametrize(
    ("mode", "safe"), [(0o700, True), (0o755, True), (0o775, True), (0o777, False), (0o1777, True)]
)
def test_a_folder_where_anybody_may_take_the_file_away_is_refused(tmp_path: Path, mode: int, safe: bool) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(mode)
    switch = KillSwitch(folder / "STOP")
    if safe:
        switch.require_safe()
    else:
        with pytest.raises(ConfigurationError, match=f"chmod o-w {folder}"):
            switch.require_safe()


@pytest.mark.fault(62)
def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in ("nowhere", "file"):
        with pytest.raises(ConfigurationError, match="KILL_SWITCH_FILE="):
            KillSwitch(tmp_path / folder / "STOP").require_safe()
