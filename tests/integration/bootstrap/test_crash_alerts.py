"""A program that dies is told: through the record, without it, and without a mail server; by a real supervisord."""

from __future__ import annotations

import email
import email.policy
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.mailbox import LOGIN, PASSWORD, Mailbox, guarded, serve
from tests.support.waiting import PATIENCE_S

from htbot.alerts.message import Message
from htbot.bootstrap.install.alarm import ProgramEvent, message_for
from htbot.bootstrap.install.ports import free_port
from htbot.bootstrap.install.processes import wait_until
from htbot.bootstrap.install.telling import tell
from htbot.persistence.engine import Database
from htbot.persistence.repositories import AlertRepository
from htbot.persistence.states import AlertState
from htbot.settings import Settings, load_settings, project_root

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DEAD = "postgresql://htbot:none@127.0.0.1:1/none"


def environment(folder: Path, database_url: str, smtp_port: int | None) -> dict[str, str]:
    made = {"HTBOT_ENV_FILE": os.devnull, "HTBOT_VAR_DIR": str(folder / "var"), "DATABASE_URL": database_url}
    if smtp_port is not None:
        made |= {"SMTP_SERVER": "127.0.0.1", "SMTP_PORT": str(smtp_port), "SMTP_USERNAME": LOGIN}
        made |= {"SMTP_PASSWORD": PASSWORD, "NOTIFICATION_EMAIL": "person@example.org"}
    return made


def crash(settings: Settings, program: str = "desk") -> Message:
    payload = f"processname:{program} groupname:{program} from_state:RUNNING expected:0 pid:77"
    message = message_for(ProgramEvent.parse({"eventname": "PROCESS_STATE_EXITED"}, payload), settings, NOW)
    assert message is not None
    return message


def subjects(mailbox: Mailbox) -> list[str]:
    read = [email.message_from_bytes(mail, policy=email.policy.default) for mail in mailbox.mails]
    return [str(mail["Subject"]).removeprefix("HTBot Alert: ") for mail in read]


def test_with_the_record_it_is_a_row_of_the_outbox_and_told_once(
    database: Database, database_url: str, tmp_path: Path, tls: ssl.SSLContext
) -> None:
    mailbox = Mailbox()
    with serve(mailbox, **guarded(tls)) as port:
        settings = load_settings(tmp_path, environment(tmp_path, database_url, port))
        assert tell(settings, crash(settings))
        assert tell(settings, crash(settings)), "told before is told"
    assert subjects(mailbox) == ["desk ended unexpectedly and is started again"]
    with database.transaction() as session:
        (stored,) = AlertRepository(session).recent()
    assert (stored.alert.kind, stored.state, stored.alert.params["program"]) == ("program", AlertState.SENT, "desk")


def test_with_the_record_and_no_mail_server_it_waits_in_the_outbox(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    settings = load_settings(tmp_path, environment(tmp_path, database_url, free_port()))
    assert not tell(settings, crash(settings))
    with database.transaction() as session:
        (stored,) = AlertRepository(session).recent()
    assert (stored.state, stored.attempts) == (AlertState.PENDING, 1)
    assert not settings.paths.mail.exists()


def test_without_record_and_mail_server_it_is_a_file(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environment(tmp_path, DEAD, free_port()))
    assert not tell(settings, crash(settings))
    (path,) = settings.paths.mail.glob("*.eml")
    assert "desk-ended-unexpectedly" in path.name


def test_before_anything_was_set_up_it_is_a_file(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"HTBOT_ENV_FILE": os.devnull, "HTBOT_VAR_DIR": str(tmp_path / "var")})
    assert tell(settings, crash(settings)), "files are the way where no server is set"
    assert len(list(settings.paths.mail.glob("*.eml"))) == 1


SUPERVISORD = """
[supervisord]
logfile={folder}/supervisord.txt
pidfile={folder}/supervisord.pid
[program:desk]
command={python} -c "import time; time.sleep(1.2); raise SystemExit(3)"
startsecs=1
autorestart=true
[program:api]
command={python} -c "raise SystemExit(3)"
startsecs=20
startretries=1
[eventlistener:alarm]
command={python} -m htbot.bootstrap.install.alarm
events=PROCESS_STATE_FATAL,PROCESS_STATE_BACKOFF,PROCESS_STATE_EXITED
buffer_size=100
priority=1
stdout_logfile=NONE
stderr_logfile={folder}/alarm.log
"""


@pytest.mark.slow
def test_supervisord_tells_crashes_without_the_record_and_each_cause_once(tmp_path: Path, tls: ssl.SSLContext) -> None:
    """One program crashes again and again, another never starts; there is no database at all."""
    mailbox = Mailbox()
    configuration = tmp_path / "supervisord.conf"
    configuration.write_text(SUPERVISORD.format(folder=tmp_path, python=sys.executable))
    wanted = {
        "desk ended unexpectedly and is started again",
        "api ended right after its start",
        "api does not start any more",
    }
    with serve(mailbox, **guarded(tls)) as port:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        supervisord = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)],
            env=kept | environment(tmp_path, DEAD, port), cwd=project_root(), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            log = tmp_path / "supervisord.txt"
            assert wait_until(lambda: wanted <= set(subjects(mailbox)), PATIENCE_S), (
                tmp_path / "alarm.log"
            ).read_text()
            assert wait_until(lambda: log.read_text().count("exited: desk") >= 2, PATIENCE_S), "it goes on"
        finally:
            supervisord.terminate()
            supervisord.wait(PATIENCE_S)
    assert sorted(subjects(mailbox)) == sorted(wanted)
