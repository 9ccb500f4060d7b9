from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from htbot.alerts.message import Message
from htbot.bootstrap.install.alarm import Collapsed, ProgramEvent, listen, message_for
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
    assert {fact.value for fact in message.facts} >= {"desk", "77", str(settings.paths.log / "desk.log")}


def test_giving_up_is_critical(settings: Settings) -> None:
    message = message_for(
        event("PROCESS_STATE_FATAL", "processname:api groupname:api from_state:BACKOFF"), settings, NOW
    )
    assert message is not None
    assert message.severity is Severity.CRITICAL


def test_an_expected_end_is_not_told(settings: Settings) -> None:
    payload = "processname:desk groupname:desk from_state:RUNNING expected:1 pid:77"
    assert message_for(event("PROCESS_STATE_EXITED", payload), settings, NOW) is None


def test_the_same_crash_is_told_once_per_quarter_of_an_hour_and_then_how_often(settings: Settings) -> None:
    exited = event("PROCESS_STATE_EXITED", "processname:desk groupname:desk from_state:RUNNING expected:0 pid:77")
    collapsed = Collapsed()
    told = {minute: collapsed.happened(exited, NOW.replace(minute=minute)) for minute in (14, 15, 20, 28, 29, 30)}
    assert told == {14: 1, 15: None, 20: None, 28: None, 29: 4, 30: None}
    message = message_for(exited, settings, NOW, 4)
    assert message is not None
    assert ("Times", "4 since the last message") in {(fact.label, fact.value) for fact in message.facts}


def test_another_program_or_a_worse_state_is_told_at_once(settings: Settings) -> None:
    collapsed = Collapsed()
    backs_off = event("PROCESS_STATE_BACKOFF", "processname:desk groupname:desk from_state:STARTING tries:1")
    fatal = event("PROCESS_STATE_FATAL", "processname:desk groupname:desk from_state:BACKOFF")
    other = event("PROCESS_STATE_BACKOFF", "processname:api groupname:api from_state:STARTING tries:1")
    assert [collapsed.happened(one, NOW) for one in (backs_off, backs_off, fatal, other)] == [1, None, 1, 1]


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

    listen(settings, tell, io.StringIO((headers + payload) * 3), said)
    assert len(told) == 1, "the same crash three times within a moment is one message"
    assert said.getvalue() == "READY\nRESULT 2\nOK" * 3 + "READY\n"
