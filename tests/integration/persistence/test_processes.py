"""One process of a kind, and all of one version (FAULTS 6, 43)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.support.record import NOON

from htbot.desk.doorbell import Doorbell
from htbot.domain.errors import ConfigurationError, StopTrading
from htbot.persistence.engine import Database
from htbot.persistence.listener import COMMANDS
from htbot.persistence.repositories import ProcessRepository
from htbot.persistence.singleton import SingletonLock
from htbot.services.versions import Version, begin_desk, own_version, register, version_trouble

HOLD = """
import sys
from htbot.persistence.singleton import SingletonLock
lock = SingletonLock(sys.argv[1], sys.argv[2])
print(lock.acquire(), flush=True)
sys.stdin.read()
"""

END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE pid <> pg_backend_pid() AND datname = current_database() AND application_name LIKE 'htbot%'
"""


@pytest.mark.fault(6)
@pytest.mark.fault(7)
def test_the_second_one_names_the_first_and_may_start_once_it_is_dead(database_url: str) -> None:
    command = [sys.executable, "-c", HOLD, database_url, "desk"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "True\n"
        second = SingletonLock(database_url, "desk")
        with pytest.raises(StopTrading) as told:
            second.require("desk on this login")
        assert f"htbot pid {first.pid} on {socket.gethostname()[:40]}" in str(told.value)
        assert str(told.value).startswith("another desk on this login runs: ")
        assert "\n" not in str(told.value)
        assert not second.held()
        first.kill()  # -9: adopted or dead, two never run
    while not second.acquire():  # PostgreSQL notices the dead socket in its own time
        assert str(first.pid) in second.holder or "ended" in second.holder
    assert second.held()
    second.release()


@pytest.mark.fault(6)
async def test_one_desk_per_login_and_per_account(database_url: str) -> None:
    first, second = Doorbell(database_url, "desk:a:1"), Doorbell(database_url, "desk:a:1")
    other_login = Doorbell(database_url, "desk:b:2")
    try:
        await first.ensure()
        await first.hold("DU1")
        await first.hold("DU1")
        with pytest.raises(StopTrading, match=f"another desk on this login runs: htbot pid {os.getpid()} on "):
            await second.ensure()
        await other_login.ensure()
        with pytest.raises(StopTrading, match="another desk for account DU1 runs"):
            await other_login.hold("DU1")
        await other_login.hold("DU2")
        first.close()
        await other_login.hold("DU1")
    finally:
        for bell in (first, second, other_login):
            bell.close()


async def test_locks_are_taken_again_after_the_connection_was_lost(database: Database, database_url: str) -> None:
    first, second = Doorbell(database_url, "desk:a:1"), Doorbell(database_url, "desk:a:1")
    try:
        await first.ensure()
        await first.hold("DU1")
        with database.transaction() as session:
            session.execute(text(END))
        await first.bell(COMMANDS).wait()
        await first.ensure()
        with pytest.raises(StopTrading):
            await second.ensure()
        with pytest.raises(StopTrading):
            await Doorbell(database_url, "desk:b:2").hold("DU1")
    finally:
        first.close()
        second.close()


@pytest.mark.fault(43)
@pytest.mark.fault(47)
def test_a_desk_of_another_schema_does_not_start(database: Database) -> None:
    own = own_version()
    with database.transaction() as session:
        begin_desk(session, "desk:a:1", own, NOON)
        assert ProcessRepository(session).all()[0].pid == os.getpid()
    with database.transaction() as session, pytest.raises(ConfigurationError, match="this process needs 9999"):
        begin_desk(session, "desk:a:1", Version(own.code, "9999"), NOON)


@pytest.mark.fault(43)
def test_the_newest_desk_is_the_one_that_counts(database: Database) -> None:
    own = own_version()
    older = Version("0.0.1", own.revision)
    with database.transaction() as session:
        register(session, "desk:a:1", older, NOON)
        assert "the desk" in (version_trouble(session, own) or "")
        assert version_trouble(session, own, as_desk=True) is None
        register(session, "worker@a", older, NOON + timedelta(hours=1))
        register(session, "desk:b:2", own, NOON + timedelta(seconds=1))
        assert version_trouble(session, own) is None
        assert version_trouble(session, older) is not None
