"""Each check of `htbot doctor` both ways: in order, and not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import text
from tests.support import record
from tests.support.mailbox import Mailbox, serve
from tests.support.people import FakeLive, chain, clock

from htbot.bootstrap.doctor import CHECKS, Finding, State, desk, examine, machine, servers, trading, verdict
from htbot.bootstrap.doctor.finding import Seen
from htbot.bootstrap.doctor.site import Site
from htbot.bootstrap.install.ports import free_port
from htbot.bootstrap.install.processes import MARK
from htbot.bootstrap.install.supervisor import ProgramState
from htbot.bootstrap.install.usage import PROGRAM
from htbot.domain.orders import OrderState
from htbot.domain.sessions import Session as TradingSession
from htbot.marketdata.clock_state import ClockState, Mode
from htbot.persistence.engine import Database
from htbot.persistence.records import Account, Worker
from htbot.persistence.repositories import (
    AccountRepository,
    AlertRepository,
    HaltRepository,
    HaltRequest,
    OrderRepository,
    SessionRepository,
    WorkerRepository,
)
from htbot.persistence.repositories.alerts import MOST_ATTEMPTS
from htbot.persistence.states import HaltKind
from htbot.services.schedule import DELIVER_ALERTS, schedule
from htbot.settings import Settings, load_settings

At = Callable[..., Site]
OPEN = TradingSession(record.DAY, record.at(-150), record.at(240))
LIVE = {"IB_HOST": "127.0.0.1", "IB_PORT": "4001", "IB_TRADING_MODE": "live", "IB_ACCOUNT": "U1234567"}
LIVE |= {"LIVE_TRADING_CONFIRM": "U1234567", "MAX_RISK_PER_DAY": "1000"}


def settings_of(folder: Path, url: str, **environ: str) -> Settings:
    base = {"HTBOT_ENV_FILE": os.devnull, "HTBOT_VAR_DIR": str(folder / "var"), "DATABASE_URL": url}
    return load_settings(folder, base | {"KILL_SWITCH_FILE": str(folder / "STOP")} | environ)


@pytest.fixture
def at(database: Database, database_url: str, tmp_path: Path) -> At:
    """A site over the record, with a desk that says what the test wants."""

    def make(said: ClockState | None = None, live: FakeLive | None = None, **environ: str) -> Site:
        site = Site(settings_of(tmp_path, database_url, **environ))
        site._database = database
        now = datetime.now(UTC)
        spoken = said or clock(written_at=now)
        site.__dict__["live"] = live or FakeLive(said=spoken, seen=chain())
        return site

    return make


def states(*found: Seen) -> list[State]:
    return [one.state for one in found]


# --- the machine ------------------------------------------------------------------------------------------------------


def test_files_of_others_and_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(settings_of(tmp_path, "postgresql://a@127.0.0.1:1/b"))
    assert machine.var_permissions(site).state is State.WARN
    var = site.settings.paths.var
    var.mkdir()
    seen = []
    for mode in (0o700, 0o750, 0o770, 0o702):
        var.chmod(mode)
        seen.append(machine.var_permissions(site))
    assert states(*seen) == [State.OK, State.WARN, State.FAIL, State.FAIL]
    assert seen[2].way_out == f"chmod 700 {var}"
    secrets = tmp_path / "secrets"
    monkeypatch.setenv("HTBOT_ENV_FILE", str(secrets))
    assert machine.env_permissions(site).state is State.WARN
    secrets.touch(mode=0o600)
    assert machine.env_permissions(site).state is State.OK
    secrets.chmod(0o640)
    assert machine.env_permissions(site).state is State.FAIL


def test_packages_that_are_not_the_locks(tmp_path: Path) -> None:
    class Elsewhere(Site):
        @property
        def root(self) -> Path:
            return tmp_path

    site = Elsewhere(settings_of(tmp_path, "postgresql://a@127.0.0.1:1/b"))
    assert machine.packages(site).state is State.SKIP
    (tmp_path / "requirements.lock").write_text("pytest==0.0.1 \\\n    --hash=sha256:00\nno-such-package==1.0 \\\n")
    seen = machine.packages(site)
    assert seen.state is State.FAIL
    assert "not 0.0.1" in seen.value
    assert machine.packages(Site(site.settings)).state is State.OK


def test_a_port_of_another_program(tmp_path: Path) -> None:
    with serve(Mailbox()) as api, serve(Mailbox()) as paper:
        own = {"HTBOT_API_PORT": str(api), "PAPER_PORT": str(paper)}
        site = Site(settings_of(tmp_path, "postgresql://a@127.0.0.1:1/b", **own))
        site.__dict__["programs"] = None
        assert (machine.ports(site).state, str(api) in machine.ports(site).value) == (State.FAIL, True)
        site.__dict__["programs"] = []
        assert machine.ports(site).state is State.OK
    seen = machine.ports(site)
    assert (seen.state, f"nothing listens at HTBOT_API_PORT={api}, PAPER_PORT={paper}" in seen.value) == (
        State.WARN,
        True,
    )


def test_clocks_that_differ(at: At) -> None:
    assert machine.clock(at()).state is State.OK
    ahead = clock(written_at=datetime.now(UTC) + timedelta(seconds=30))
    assert machine.clock(at(ahead)).state is State.FAIL


# --- servers ----------------------------------------------------------------------------------------------------------


def test_a_redis_that_throws_away(redis_url: str, tmp_path: Path) -> None:
    site = Site(settings_of(tmp_path, "postgresql://a@127.0.0.1:1/b", REDIS_URL=redis_url))
    assert servers.redis(site).state is State.OK
    with redis.Redis.from_url(redis_url) as connection:
        connection.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert servers.redis(site).state is State.FAIL
        finally:
            connection.config_set("maxmemory-policy", "noeviction")


def test_servers_that_are_away(tmp_path: Path) -> None:
    gone = str(free_port())
    site = Site(
        settings_of(
            tmp_path, f"postgresql://a@127.0.0.1:{gone}/b", REDIS_URL=f"redis://127.0.0.1:{gone}/0",
            HTBOT_API_PORT=gone, IB_HOST="127.0.0.1", IB_PORT=gone,
        )
    )  # fmt: skip
    seen = [check(site) for check in (servers.record, servers.redis, servers.api, servers.gateway)]
    assert states(*seen) == [State.FAIL] * 4
    assert all(one.way_out for one in seen)


def test_a_mail_server_that_is_away_and_none_where_money_is_real(at: At) -> None:
    mail = {"SMTP_SERVER": "127.0.0.1", "NOTIFICATION_EMAIL": "a@example.org"}
    with serve(Mailbox()) as port:
        assert servers.mail(at(SMTP_PORT=str(port), **mail)).state is State.OK
    assert servers.mail(at(SMTP_PORT=str(port), **mail)).state is State.FAIL
    assert servers.mail(at()).state is State.OK
    assert servers.mail(at(**LIVE)).state is State.WARN


def test_what_cannot_be_read_at_the_gateway_is_said(at: At) -> None:
    assert servers.gateway_settings(at()).state is State.OK
    assert "Bypass Order Precautions" in servers.gateway_settings(at(IB_HOST="10.0.0.1", IB_PORT="7497")).way_out


# --- desk -------------------------------------------------------------------------------------------------------------


def test_programs_that_do_not_run(at: At) -> None:
    site = at()
    site.__dict__["programs"] = None
    assert desk.processes(site).value == "nothing runs"
    site.__dict__["programs"] = [ProgramState("desk", "RUNNING", 1, 1), ProgramState("api", "FATAL", 0, 1)]
    seen = desk.processes(site)
    assert (seen.state, seen.value, "var/log/api.log" in seen.way_out) == (State.FAIL, "api FATAL", True)


def test_a_process_that_takes_too_much(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], MARK: str((tmp_path / "var").resolve()), PROGRAM: "desk"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environ) as process:
        for limit_mb, state in ((64, State.OK), (None, State.WARN)):
            site = Site(settings_of(tmp_path, "postgresql://a@127.0.0.1:1/b"))
            if limit_mb is None:
                site.settings.limits.__dict__["memory_mb"] = 1
            assert desk.usage(site).state is state, desk.usage(site)
        process.communicate(b"\n")


def test_a_worker_with_every_task(at: At, database: Database) -> None:
    now = datetime.now(UTC)
    assert desk.worker(at()).state is State.FAIL
    tasks = tuple(row.task for row in schedule())
    for known, state in ((tasks[:-1], State.FAIL), (tasks, State.OK)):
        with database.transaction() as session:
            WorkerRepository(session).ready(Worker("w", "here", 7, "0.1.0", known, now, now))
        assert desk.worker(at()).state is state
    assert tasks[-1] not in desk.worker(at()).value


def test_a_silent_desk_and_one_that_does_not_trade(at: At) -> None:
    now = datetime.now(UTC)
    assert states(desk.heartbeat(at()), desk.session(at())) == [State.OK, State.OK]
    silent = at(clock(written_at=now - timedelta(minutes=5)))
    assert states(desk.heartbeat(silent), desk.session(silent)) == [State.FAIL, State.SKIP]
    idle = at(clock(written_at=now, trading_enabled=False, reason="books differ"))
    assert desk.session(idle).state is State.FAIL
    assert "books differ" in desk.session(idle).value
    assert desk.session(at(clock(written_at=now, connection="reconnecting"))).state is State.FAIL


def test_a_desk_in_another_mode_or_account(at: At) -> None:
    now = datetime.now(UTC)
    assert desk.live_guard(at()).state is State.OK
    assert desk.live_guard(at(**LIVE)).state is State.FAIL
    lives = clock(written_at=now, mode=Mode.LIVE, account="U1234567")
    assert desk.live_guard(at(lives, **LIVE)).state is State.OK
    assert desk.live_guard(at(replace(lives, account="U7654321"), **LIVE)).state is State.FAIL
    assert desk.live_guard(at(lives)).state is State.FAIL
    two = {**LIVE, "IB_ACCOUNTS": "U7654321", "LIVE_TRADING_CONFIRM": "U1234567,U7654321"}
    assert desk.live_guard(at(lives, **two)).state is State.FAIL
    assert desk.live_guard(at(replace(lives, others=("U7654321",)), **two)).state is State.OK


def test_old_quotes_count_within_a_session(at: At, database: Database) -> None:
    now = datetime.now(UTC)
    old = clock(written_at=now, market_time=record.at(5))
    assert desk.market_data(at(old)).state is State.OK, "no session is known, so the exchange is closed"
    with database.transaction() as session:
        SessionRepository(session).upsert([OPEN])
    assert desk.market_data(at(old)).state is State.FAIL
    assert desk.market_data(at()).state is State.OK
    nothing = FakeLive(said=clock(written_at=now))
    assert desk.market_data(at(live=nothing)).state is State.FAIL


def test_an_account_of_which_nothing_is_known(at: At, database: Database) -> None:
    assert desk.account_figures(at()).state is State.FAIL
    told = Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON, Decimal(100_000), None, None)
    for net, state in ((None, State.FAIL), (Decimal(100_000), State.OK)):
        with database.transaction() as session:
            AccountRepository(session).upsert(replace(told, net_liquidation_usd=net))
        assert desk.account_figures(at()).state is state
    more = clock(written_at=datetime.now(UTC), others=("DU1000002",))
    assert desk.account_figures(at(more)).value == "net liquidation is unknown of DU1000002"
    with database.transaction() as session:
        AccountRepository(session).upsert(replace(told, account="DU1000002"))
    assert desk.account_figures(at(more)).state is State.OK


# --- trading ----------------------------------------------------------------------------------------------------------


def test_the_stop_file(at: At, tmp_path: Path) -> None:
    assert trading.stop_file(at()).state is State.OK
    (tmp_path / "STOP").touch()
    assert trading.stop_file(at()).state is State.FAIL


def test_halt_and_breaker_are_two_lines(at: At, database: Database) -> None:
    assert states(trading.halts(at()), trading.breaker(at())) == [State.OK, State.OK]
    with database.transaction() as session:
        HaltRepository(session).set(HaltRequest("api", "looks wrong", "operator", record.NOON))
    assert states(trading.halts(at()), trading.breaker(at())) == [State.FAIL, State.OK]
    assert trading.halts(at()).value == "api: looks wrong"
    with database.transaction() as session:
        HaltRepository(session).set(HaltRequest("daily_loss", "612 of 600", "risk", record.NOON, HaltKind.BREAKER))
    assert trading.breaker(at()).state is State.FAIL


@pytest.mark.parametrize(
    ("market_time", "words"),
    [
        (datetime(2022, 11, 23, 16, 0, tzinfo=UTC), "2022-11-23 is a full day until 16:00, open now"),
        (datetime(2022, 11, 23, 23, 0, tzinfo=UTC), "closed now; next opens Fri 2022-11-25 09:30 New York, a half day"),
        (datetime(2022, 11, 24, 16, 0, tzinfo=UTC), "2022-11-24 is a holiday; next opens Fri 2022-11-25"),
        (datetime(2022, 11, 25, 16, 0, tzinfo=UTC), "2022-11-25 is a half day until 13:00, open now"),
        (datetime(2022, 11, 26, 16, 0, tzinfo=UTC), "2022-11-26 is a weekend; next opens Mon 2022-11-28"),
    ],
)
def test_the_calendar_says_what_today_is(at: At, database: Database, market_time: datetime, words: str) -> None:
    def session_of(day: int, closes: int) -> TradingSession:
        opens = datetime(2022, 11, day, 14, 30, tzinfo=UTC)
        return TradingSession(date(2022, 11, day), opens, opens.replace(hour=closes, minute=0), closes < 21)

    said = clock(written_at=datetime.now(UTC), market_time=market_time)
    assert trading.calendar(at(said)).state is State.FAIL
    with database.transaction() as session:
        SessionRepository(session).upsert([session_of(23, 21), session_of(25, 18), session_of(28, 21)])
    seen = trading.calendar(at(said))
    assert seen.state is State.OK
    assert words in seen.value


def ran(database: Database, task: str, ago_s: float, state: str = "DONE", error: str = "") -> None:
    began = datetime.now(UTC) - timedelta(seconds=ago_s)
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO task_runs (task, key, as_of, state, spawned, error, started_at, finished_at)"
                " VALUES (:task, 'all', :began, :state, '[]', :error, :began, :began)"
            ),
            {"task": task, "began": began, "state": state, "error": error},
        )


def test_tasks_that_are_late_or_fail(at: At, database: Database) -> None:
    assert "read_market never ran" in trading.tasks(at()).value
    for row in schedule():
        ran(database, row.task, 20)
    assert trading.tasks(at()).state is State.OK
    ran(database, schedule()[0].task, 5, "FAILED", "ZeroDivisionError: x")
    assert "read_market failed: ZeroDivisionError: x" in trading.tasks(at()).value
    assert trading.tasks(at(clock(written_at=datetime.now(UTC), mode=Mode.STEPPED, speed=None))).state is State.SKIP


def test_the_same_age_is_late_at_ten_times_the_speed(at: At, database: Database) -> None:
    for row in schedule():
        ran(database, row.task, 100)
    assert trading.tasks(at()).state is State.OK
    fast = at(clock(written_at=datetime.now(UTC), speed=10.0))
    assert trading.tasks(fast).state is State.FAIL


def test_beat_that_sends_nothing(at: At, database: Database) -> None:
    assert trading.beat(at()).state is State.FAIL
    ran(database, DELIVER_ALERTS, 600)
    assert trading.beat(at()).state is State.FAIL
    ran(database, DELIVER_ALERTS, 20)
    assert trading.beat(at()).state is State.OK


def test_messages_that_do_not_get_out(at: At, database: Database) -> None:
    assert trading.outbox(at()).state is State.OK
    with database.transaction() as session:
        alerts = AlertRepository(session)
        alerts.add(record.alert("one"))
        stored = alerts.first_waiting()
        assert stored is not None
    assert trading.outbox(at()).state is State.OK
    with database.transaction() as session:
        AlertRepository(session).mark_failed(stored.id, "smtp: 535 no", record.NOON)
    assert "535 no" in trading.outbox(at()).value
    assert trading.outbox(at()).state is State.FAIL
    with database.transaction() as session:
        for _ in range(MOST_ATTEMPTS):
            AlertRepository(session).mark_failed(stored.id, "smtp: 535 no", record.NOON)
    assert trading.outbox(at()).state is State.WARN


def test_an_order_in_doubt(at: At, database: Database, enter: Any) -> None:
    assert trading.reconciliation(at()).state is State.OK
    _, intent = enter()
    with database.transaction() as session:
        OrderRepository(session).upsert(record.order(intent, state=OrderState.UNKNOWN), record.NOON)
    assert trading.reconciliation(at()).state is State.FAIL


# --- the report -------------------------------------------------------------------------------------------------------


def test_with_the_servers_away_the_rest_is_skipped_and_it_is_no_go(tmp_path: Path) -> None:
    gone = str(free_port())
    away = settings_of(tmp_path, f"postgresql://a@127.0.0.1:{gone}/b", REDIS_URL=f"redis://127.0.0.1:{gone}/0")
    findings = list(examine(away))
    assert [finding.code for finding in findings[1:]] == [check.code for check in CHECKS]
    by_name = {finding.check: finding for finding in findings}
    assert by_name["record"].state is by_name["redis"].state is State.FAIL
    assert {by_name[name].state for name in ("schema", "versions", "halts", "tasks", "desk")} == {State.SKIP}
    assert verdict(findings) == "NO-GO"
    assert all(finding.way_out for finding in findings if finding.state in {State.FAIL, State.WARN})
    assert by_name["record"].runbook == "docs/runbooks/HT-DB-01.md"


def test_a_warning_is_a_go() -> None:
    found = [Finding("HT-X", "x", state, "", "", "") for state in (State.OK, State.WARN, State.SKIP)]
    assert verdict(found) == "GO"
    assert verdict([*found, Finding("HT-X", "x", State.FAIL, "", "", "")]) == "NO-GO"
