from __future__ import annotations

import dataclasses
import email
import email.policy
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from htbot.adapters.mail.files import FileDelivery, file_name
from htbot.domain.alerts import Alert, Severity
from htbot.domain.errors import Refused, Retryable

ALERT = Alert(
    kind="exit",
    severity=Severity.INFO,
    subject="Trade Exit - profit target",
    text="Net P&L 41.20",
    html="<b>41.20</b>",
    as_of=datetime(2022, 8, 26, 15, 30, tzinfo=UTC),
    dedup_key="exit:1",
)


def test_file_is_a_whole_message_of_its_owner(tmp_path: Path) -> None:
    FileDelivery(tmp_path / "mail").deliver(ALERT)
    (path,) = (tmp_path / "mail").iterdir()
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert path.name.startswith("20220826T153000Z-trade-exit-profit-target-")
    assert path.suffix == ".eml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert message["Subject"] == "HTBot Alert: Trade Exit - profit target"
    assert message.get_body(("plain",)).get_content().strip() == "Net P&L 41.20"
    assert message.get_body(("html",)).get_content().strip() == "<b>41.20</b>"


def test_same_alert_is_one_file_byte_for_byte(tmp_path: Path) -> None:
    delivery = FileDelivery(tmp_path)
    delivery.deliver(ALERT)
    first = next(tmp_path.iterdir()).read_bytes()
    delivery.deliver(ALERT)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [first]


def test_two_alerts_of_one_instant_are_two_files(tmp_path: Path) -> None:
    FileDelivery(tmp_path).deliver(ALERT)
    FileDelivery(tmp_path).deliver(dataclasses.replace(ALERT, dedup_key="exit:2"))
    assert len(list(tmp_path.iterdir())) == 2


def test_subject_never_leaves_the_folder() -> None:
    assert "/" not in file_name(dataclasses.replace(ALERT, subject="../../etc/passwd"))
    assert "-alert-" in file_name(dataclasses.replace(ALERT, subject="…"))


def test_unwritable_folder_is_retried_later(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(Retryable, match="cannot write"):
        FileDelivery(blocked).deliver(ALERT)


def test_injection_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        FileDelivery(tmp_path).deliver(dataclasses.replace(ALERT, subject="a\nb"))
    assert list(tmp_path.iterdir()) == []
