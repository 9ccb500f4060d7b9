from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from htbot.alerts.message import Message
from htbot.bootstrap.install.alarm import ProgramEvent, listen, message_for
from htbot.domain.alerts import Severity
from htbot.settings import Settings, load_settings

NOW = datetime(2022, 8, 26, 14, 0, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path, {})


def event(name: str, payload: str) -> ProgramEvent:
    return ProgramEvent.parse({"eventname": name}, payload)


def test_a_crash_is_told_with_its_log(settings: Settings) -> None:
    message = message_for(
        event("PROCESS_STATE_EXITED", "processname:desk groupname:desk from_state:RUNNING expected:0 pid:77"),
        settings,
        NOW,
    )
    assert message is not None
    assert "desk" in message.title
    assert {fact.value for fact in message.facts} == {"desk", "77", str(settings.paths.log / "desk.log")}


def test_giving_up_is_critical(settings: Settings) -> None:
    message = message_for(
        event("PROCESS_STATE_FATAL", "processname:api groupname:api from_state:BACKOFF"), settings, NOW
    )
    assert message is not None
    assert message.severity is Severity.CRITICAL


def test_an_expected_end_is_not_told(settings: Settings) -> None:
    payload = "processname:desk groupname:desk from_state:RUNNING expected:1 pid:77"
    assert message_for(event("PROCESS_STATE_EXITED", payload), settings, NOW) is None


def test_the_same_crash_is_told_once_per_quarter_of_an_hour(settings: Settings) -> None:
    exited = event("PROCESS_STATE_EXITED", "processname:desk groupname:desk from_state:RUNNING expected:0 pid:77")
    keys = set()
    for minute in (0, 5, 14, 15):
        message = message_for(exited, settings, NOW.replace(minute=minute))
        assert message is not None
        keys.add(message.dedup_key)
    assert len(keys) == 2


def test_it_speaks_supervisords_protocol(settings: Settings) -> None:
    payload = "processname:desk groupname:desk from_state:RUNNING expected:0 pid:77"
    headers = (
        f"ver:3.0 server:htbot serial:1 pool:alarm poolserial:1 eventname:PROCESS_STATE_EXITED len:{len(payload)}\n"
    )
    told: list[Message] = []
    said = io.StringIO()

    def tell(message: Message) -> bool:
        told.append(message)
        return True

    listen(settings, tell, io.StringIO(headers + payload), said)
    assert len(told) == 1
    assert said.getvalue() == "READY\nRESULT 2\nOKREADY\n"
