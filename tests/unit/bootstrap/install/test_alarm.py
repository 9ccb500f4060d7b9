from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from htbot.alerts.message import Message
from htbot.bootstrap.install.alarm import ProgramEvent, Watch, listen, message_for
from htbot.bootstrap.install.rounds import Rounds, Trouble
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
    crash = f"ver:3.0 server:htbot serial:1 pool:alarm poolserial:1 eventname:PROCESS_STATE_EXITED len:{len(payload)}\n"
    tick = "ver:3.0 server:htbot serial:2 pool:alarm poolserial:2 eventname:TICK_60 len:15\nwhen:1201063880"
    trouble = Trouble("redis", Severity.WARNING, "Redis is full", "OOM")
    told: list[Message] = []
    sent: list[int] = []
    said = io.StringIO()

    def tell(message: Message) -> bool:
        told.append(message)
        return True

    def deliver() -> int:
        sent.append(1)
        return 1

    watch = Watch(settings, tell, Rounds([lambda: [trouble]]), deliver)
    listen(watch, io.StringIO(crash + payload + tick + tick), said)
    assert [message.title for message in told] == ["desk ended unexpectedly and is started again", "Redis is full"]
    assert sent == [1, 1], "without Redis nobody else sends the mails that wait"
    assert said.getvalue() == "READY\nRESULT 2\nOK" * 3 + "READY\n"
