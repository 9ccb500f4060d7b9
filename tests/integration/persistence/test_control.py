from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.integration.persistence.conftest import die_after
from tests.support.record import ACCOUNT, DAY, NOON, WORLD, alert, at

from htbot.domain.errors import CallerMistake
from htbot.persistence.engine import Database
from htbot.persistence.records import Account, AuditEntry, Worker
from htbot.persistence.repositories import (
    AccountRepository,
    AlertRepository,
    AuditRepository,
    CommandRepository,
    CommandRequest,
    HaltRepository,
    HaltRequest,
    TaskRunRepository,
    WorkerRepository,
)
from htbot.persistence.repositories.alerts import MOST_ATTEMPTS
from htbot.persistence.states import AlertState, CommandState, HaltKind, TaskState

HALT = HaltRequest("api", "looks wrong", "operator", NOON)
TRIP = HaltRequest("daily_loss", "lost 612.00 of 600.00", "risk", NOON, HaltKind.BREAKER, at(240))


def test_a_cause_is_told_once(database: Database) -> None:
    with database.transaction() as session:
        alerts = AlertRepository(session)
        assert alerts.add(alert("one"))
        assert not alerts.add(alert("one", subject="again"))
        assert waiting(alerts, NOON) == "one"


def waiting(alerts: AlertRepository, now: datetime) -> str | None:
    """Key of the alert that is to be delivered now."""
    taken = alerts.take(now)
    assert alerts.any_due(now) == (taken is not None)
    return None if taken is None else taken.alert.dedup_key


def test_an_alert_is_due_at_once_then_after_its_back_off(database: Database) -> None:
    with database.transaction() as session:
        alerts = AlertRepository(session)
        alerts.add(alert("one"))
        stored = alerts.take(NOON)
        assert stored is not None
        alerts.mark_failed(stored.id, "connection refused", NOON)
        assert waiting(alerts, at(seconds=29)) is None
        assert waiting(alerts, at(seconds=30)) == "one"
        alerts.mark_failed(stored.id, "connection refused", NOON)
        assert waiting(alerts, at(seconds=59)) is None
        assert waiting(alerts, at(seconds=60)) == "one"
        alerts.mark_sent([stored.id], at(2))
        assert waiting(alerts, at(60)) is None
        (sent,) = alerts.recent(state=AlertState.SENT)
        assert (sent.attempts, sent.sent_at, sent.last_error) == (3, at(2), "connection refused")


def test_those_behind_the_first_wait_for_it(database: Database) -> None:
    with database.transaction() as session:
        alerts = AlertRepository(session)
        alerts.add(alert("one"))
        first = alerts.take(NOON)
        assert first is not None
        alerts.mark_failed(first.id, "away", NOON)
        alerts.add(alert("two"))
        assert waiting(alerts, NOON) is None
        assert alerts.take_all(NOON) == []
        assert waiting(alerts, at(seconds=30)) == "one"
        behind = alerts.take(at(seconds=30), after=first.id)
        assert behind is not None
        assert behind.alert.dedup_key == "two"
        assert alerts.take(at(seconds=30), fewer_attempts=1) == behind
        assert [one.alert.dedup_key for one in alerts.take_all(at(seconds=30))] == ["one", "two"]


def test_delivery_is_given_up_in_the_end(database: Database) -> None:
    with database.transaction() as session:
        alerts = AlertRepository(session)
        alerts.add(alert())
        stored = alerts.take(NOON)
        assert stored is not None
        for _ in range(MOST_ATTEMPTS):
            alerts.mark_failed(stored.id, "refused", NOON)
        assert waiting(alerts, NOON + timedelta(days=9)) is None
        assert [one.state for one in alerts.recent()] == [AlertState.DEAD]


def test_two_deliverers_never_hold_the_same_alert_and_none_overtakes(database: Database) -> None:
    with database.transaction() as session:
        AlertRepository(session).add(alert("one"))
        AlertRepository(session).add(alert("two"))
    with database.transaction() as first, database.transaction() as second:
        held = AlertRepository(first).take(NOON)
        assert held is not None
        assert held.alert.dedup_key == "one"
        assert AlertRepository(second).take(NOON) is None
        assert AlertRepository(second).take_all(NOON) == []


def test_commands_of_one_instant_are_taken_by_their_keys(database: Database) -> None:
    with database.transaction() as session:
        commands = CommandRepository(session)
        for key, asked_at in (("c", NOON), ("a", NOON), ("d", at(-1)), ("b", NOON)):
            commands.create(CommandRequest(key, "halt", "operator", asked_at))
        assert [one.idempotency_key for one in commands.open()] == ["d", "a", "b", "c"]


def test_alerts_of_a_day_and_the_last_like_another(database: Database) -> None:
    with database.transaction() as session:
        alerts = AlertRepository(session)
        alerts.add(alert("b"))
        alerts.add(alert("a", as_of=at(1), account=""))
        alerts.add(alert("c", as_of=at(24 * 60)))
        assert [one.alert.dedup_key for one in alerts.of_day(DAY, ACCOUNT)] == ["b", "a"]
        latest = [alerts.latest_like(alert("d", as_of=at(2), account=account)) for account in ("", ACCOUNT, "U2")]
        assert [one and one.alert.dedup_key for one in latest] == ["a", "b", None]
        assert alerts.latest_like(replace(alert("d", as_of=at(2)), kind="exit")) is None
        assert alerts.latest_like(replace(alert("d", as_of=at(2)), params={"trade_id": "spx-2"})) is None


def test_a_source_has_one_halt_in_force(database: Database) -> None:
    with database.transaction() as session:
        halts = HaltRepository(session)
        assert halts.set(HALT)
        assert not halts.set(replace(HALT, reason="again"))
        assert halts.set(replace(HALT, source="file"))
        assert [halt.source for halt in halts.active(at(-60))] == ["api", "file"], "in force at any market time"
        assert halts.clear("operator", at(1), source="api") == 1
        assert [halt.source for halt in halts.active(at(1))] == ["file"]
        assert halts.set(HALT)
        assert [halt.cleared_by for halt in halts.recent()] == [None, None, "operator"]


def test_a_trip_may_end_with_its_session_and_come_again(database: Database) -> None:
    with database.transaction() as session:
        halts = HaltRepository(session)
        assert halts.set(TRIP)
        assert len(halts.active(at(239))) == 1
        assert halts.active(at(240)) == []
        assert halts.set(replace(TRIP, set_at=at(24 * 60), ends_at=at(28 * 60)))
        assert len(halts.active(at(24 * 60))) == 1
        assert [halt.cleared_by for halt in halts.recent()] == [None, "end of session"]


def test_resume_of_a_halt_leaves_the_breaker(database: Database) -> None:
    with database.transaction() as session:
        halts = HaltRepository(session)
        halts.set(HALT)
        halts.set(TRIP)
        assert halts.clear("operator", at(1), kind=HaltKind.HALT) == 1
        assert [halt.kind for halt in halts.active(at(1))] == [HaltKind.BREAKER]


def test_the_trail_says_in_which_account_a_halt_ended(database: Database) -> None:
    with database.transaction() as session:
        halts = HaltRepository(session)
        halts.set(replace(TRIP, account=ACCOUNT))
        halts.set(replace(TRIP, account="DU2"))
        assert halts.clear("operator", at(1)) == 2
        ended = [entry.detail for entry in AuditRepository(session).recent() if entry.action == "halt.cleared"]
    assert sorted(str(detail["account"]) for detail in ended) == sorted([ACCOUNT, "DU2"])


def test_a_halt_never_ends_by_itself(database: Database) -> None:
    with pytest.raises(DBAPIError, match="ck_halts_cleared_by_person"), database.transaction() as session:
        HaltRepository(session).set(replace(HALT, ends_at=at(1)))


def test_the_same_key_is_the_same_command(database: Database) -> None:
    request = CommandRequest("key-1", "close_all", "operator", NOON, {"account": ACCOUNT, "limit": Decimal("1.5")})
    with database.transaction() as session:
        first, created = CommandRepository(session).create(request)
        second, again = CommandRepository(session).create(replace(request, created_at=at(1)))
    assert (created, again) == (True, False)
    assert first == second
    assert first.params == {"account": ACCOUNT, "limit": "1.5"}


def test_a_key_is_not_used_for_another_command(database: Database) -> None:
    request = CommandRequest("key-1", "close_all", "operator", NOON)
    with database.transaction() as session:
        CommandRepository(session).create(request)
        with pytest.raises(CallerMistake, match="use a new key"):
            CommandRepository(session).create(replace(request, kind="halt"))
        with pytest.raises(CallerMistake, match="use a new key"):
            CommandRepository(session).create(replace(request, params={"account": "DU2"}))


def test_a_command_is_carried_out_once(database: Database) -> None:
    with database.transaction() as session:
        commands = CommandRepository(session)
        command, _ = commands.create(CommandRequest("key-1", "close_all", "operator", NOON))
        assert commands.advance(command.id, CommandState.PENDING, CommandState.RUNNING, at(1))
        assert not commands.advance(command.id, CommandState.PENDING, CommandState.RUNNING, at(1))
        assert [one.id for one in commands.open("close_all")] == [command.id]
        assert commands.advance(command.id, CommandState.RUNNING, CommandState.DONE, at(2), {"closed": 1})
        assert commands.open() == []
        done = commands.get(command.id)
        assert done is not None
        assert (done.state, done.result) == (CommandState.DONE, {"closed": 1})


def test_the_audit_log_only_grows(database: Database) -> None:
    with database.transaction() as session:
        AuditRepository(session).add(AuditEntry(NOON, "operator", "halt", "api", {"at": NOON}))
    for statement in ("UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
        with pytest.raises(DBAPIError, match="append-only"), database.transaction() as session:
            session.execute(text(statement))
    with database.transaction() as session:
        (entry,) = AuditRepository(session).recent(action="halt")
    assert entry == AuditEntry(NOON, "operator", "halt", "api", {"at": "2022-08-26T16:00:00+00:00"})


def test_figures_that_were_not_told_stay(database: Database) -> None:
    account = Account(ACCOUNT, "main", WORLD, "paper", NOON, Decimal(100000), Decimal(400000), None)
    with database.transaction() as session:
        accounts = AccountRepository(session)
        accounts.upsert(account)
        accounts.upsert(replace(account, as_of=at(1), net_liquidation_usd=None, cash_usd=Decimal(99000)))
        assert accounts.get(ACCOUNT) == replace(account, as_of=at(1), cash_usd=Decimal(99000))
        assert accounts.all("another world") == []


def test_a_run_begins_once_and_a_failed_one_again(database: Database) -> None:
    with database.transaction() as session:
        runs = TaskRunRepository(session)
        assert runs.begin("read_market", "SPX", NOON)
        assert not runs.begin("read_market", "SPX", NOON)
        assert runs.begin("read_market", "SPX", at(0.5))
        runs.fail("read_market", "SPX", NOON, "no snapshot")
        assert runs.begin("read_market", "SPX", NOON)
        assert runs.finish("read_market", "SPX", NOON, [("enter_trade", "t1")])
        assert not runs.finish("read_market", "SPX", NOON)
        runs.fail("read_market", "SPX", NOON, "a copy that failed")
        run = runs.get("read_market", "SPX", NOON)
        assert run is not None
        assert (run.state, run.spawned, run.error) == (TaskState.DONE, (("enter_trade", "t1"),), "")


def test_a_run_that_dies_leaves_no_row(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        die_after(TaskRunRepository(session).begin, "read_market", "SPX", NOON)
    with database.transaction() as session:
        assert TaskRunRepository(session).begin("read_market", "SPX", NOON)


def test_a_step_is_done_when_all_runs_and_their_follow_ups_have_ended(database: Database) -> None:
    expected = [("read_market", "SPX"), ("mark_pnl", "main")]
    with database.transaction() as session:
        runs = TaskRunRepository(session)
        assert runs.missing(expected, NOON) == set(expected)
        for task, key in expected:
            runs.begin(task, key, NOON)
        assert runs.missing(expected, NOON) == set(expected)
        runs.finish("read_market", "SPX", NOON, [("enter_trade", "t1")])
        runs.fail("mark_pnl", "main", NOON, "no quotes")
        assert runs.missing(expected, NOON) == {("enter_trade", "t1")}
        runs.begin("enter_trade", "t1", NOON)
        runs.finish("enter_trade", "t1", NOON, [("send_alerts", "outbox")])
        assert runs.missing(expected, NOON) == {("send_alerts", "outbox")}
        runs.begin("send_alerts", "outbox", NOON)
        runs.finish("send_alerts", "outbox", NOON, [("read_market", "SPX")])
        assert runs.missing(expected, NOON) == set()
        assert runs.missing(expected, at(0.5)) == set(expected)


def test_the_last_run_of_each_task(database: Database) -> None:
    for minutes in (0, 1):
        with database.transaction() as session:
            TaskRunRepository(session).begin("read_market", "SPX", at(minutes))
    with database.transaction() as session:
        TaskRunRepository(session).begin("mark_pnl", "main", at(0))
        latest = TaskRunRepository(session).latest()
    assert [(run.task, run.as_of) for run in latest] == [("mark_pnl", at(0)), ("read_market", at(1))]


def test_a_worker_says_that_it_is_ready(database: Database) -> None:
    worker = Worker("w1", "host", 42, "0.1.0", ("read_market", "mark_pnl"), NOON, NOON)
    with database.transaction() as session:
        workers = WorkerRepository(session)
        assert not workers.see("w1", at(1))
        workers.ready(worker)
        workers.ready(replace(worker, pid=43))
        assert workers.see("w1", at(1))
        assert workers.all() == [replace(worker, pid=43, seen_at=at(1))]
