from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.integration.persistence.conftest import Enter, die_after
from tests.support.record import NOON

from htbot.domain.errors import Retryable
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.listener import COMMANDS, HALTS, INTENTS, TASKS, Listener, Ring
from htbot.persistence.repositories import (
    CommandRepository,
    CommandRequest,
    HaltRepository,
    HaltRequest,
    TaskRunRepository,
)
from htbot.persistence.singleton import SingletonLock, signature

KILL_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "


def kill(database: Database, application_name: str) -> None:
    with database.transaction() as session:
        session.execute(text(KILL_OTHERS + "application_name = :name"), {"name": application_name})


def test_work_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        die_after(session.execute, text("CREATE TABLE scratch ()"))
    with database.transaction() as session:
        assert session.scalar(text("SELECT to_regclass('scratch')")) is None


def test_every_connection_speaks_utc(database: Database) -> None:
    with database.transaction() as session:
        assert session.scalar(text("SHOW timezone")) == "UTC"


def test_a_statement_that_takes_too_long_can_be_tried_again(database_url: str) -> None:
    impatient = Database(database_url, EngineOptions(statement_timeout_ms=20))
    with pytest.raises(Retryable, match="statement timeout"), impatient.transaction() as session:
        session.execute(text("SELECT pg_sleep(5)"))
    impatient.close()


def test_an_exhausted_pool_can_be_tried_again(database_url: str) -> None:
    single = Database(database_url, EngineOptions(pool_size=1, max_overflow=0, pool_timeout_s=0.05))
    with single.transaction() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(Retryable, match="QueuePool limit"), single.transaction() as other:
            other.execute(text("SELECT 1"))
    single.close()


def test_a_connection_that_died_while_idle_is_replaced(database: Database, database_url: str) -> None:
    victim = Database(database_url, EngineOptions(application_name="victim"))
    with victim.transaction() as session:
        session.execute(text("SELECT 1"))
    kill(database, "victim")
    with victim.transaction() as session:
        assert session.scalar(text("SELECT 1")) == 1
    victim.close()


def test_a_connection_that_dies_in_a_transaction_can_be_tried_again(database: Database, database_url: str) -> None:
    victim = Database(database_url, EngineOptions(application_name="victim"))
    with pytest.raises(Retryable, match="PostgreSQL did not answer"), victim.transaction() as session:
        die_in_transaction(victim, database, session)
    victim.close()


def die_in_transaction(victim: Database, database: Database, session: object) -> None:
    session.execute(text("SELECT 1"))  # type: ignore[attr-defined]
    kill(database, "victim")
    session.execute(text("SELECT 1"))  # type: ignore[attr-defined]


def test_a_database_that_is_away_can_be_tried_again(database_url: str) -> None:
    away = Database(database_url.replace("/test_", "/nothing_like_test_"))
    with pytest.raises(Retryable, match="does not exist"), away.transaction() as session:
        session.execute(text("SELECT 1"))
    away.close()


def test_committed_rows_ring(database: Database, database_url: str, enter: Enter) -> None:
    listener = Listener(database_url, (INTENTS, TASKS, COMMANDS, HALTS))
    assert listener.wait(0.01) == []
    _, intent = enter()
    assert listener.wait(5) == [Ring(INTENTS, intent.ref)]
    with database.transaction() as session:
        TaskRunRepository(session).begin("read_market", "SPX", NOON)
        TaskRunRepository(session).finish("read_market", "SPX", NOON)
        HaltRepository(session).set(HaltRequest("api", "looks wrong", "operator", NOON))
        command, _ = CommandRepository(session).create(CommandRequest("key", "close_all", "operator", NOON))
        assert listener.heard() == [], "nothing rings before the commit"
    assert listener.wait(5) == [
        Ring(TASKS, "read_market"),
        Ring(HALTS, "api"),
        Ring(COMMANDS, str(command.id)),
    ]
    listener.close()


def test_a_listener_whose_connection_is_gone_says_so(database: Database, database_url: str) -> None:
    listener = Listener(database_url, (INTENTS,), application_name="victim")
    kill(database, "victim")

    def listen() -> None:
        for _ in range(18):  # the server's last word may come before the end of its connection
            listener.wait(5)

    with pytest.raises(Retryable, match="is gone"):
        listen()


def test_one_process_of_a_kind(database: Database, database_url: str) -> None:
    first, second = SingletonLock(database_url, "desk"), SingletonLock(database_url, "desk")
    other = SingletonLock(database_url, "desk of another account")
    assert first.acquire()
    assert first.held()
    assert not second.acquire()
    assert not second.held()
    assert other.acquire()
    first.release()
    assert second.acquire()
    kill(database, signature())
    assert not second.held()
    assert first.acquire(), "the lock dies with the connection that held it"
    first.release()
    other.release()
