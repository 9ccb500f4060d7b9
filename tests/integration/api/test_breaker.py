"""The breaker as people meet it: its figures, and the reset that needs a PIN (RULINGS 13, 14)."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import PIN, House

from htbot.cli.main import run
from htbot.persistence.engine import Database
from htbot.persistence.records import Account, EquityDay
from htbot.persistence.repositories import (
    AccountRepository,
    AlertRepository,
    AuditRepository,
    EquityRepository,
    HaltRepository,
    HaltRequest,
)
from htbot.persistence.states import HaltKind

WITH_PIN = {"breaker": True, "pin": PIN}
DAY = EquityDay(
    account=record.ACCOUNT,
    day=record.DAY,
    as_of=record.NOON,
    start_net_liquidation_usd=Decimal(100_000),
    start_unrealized_usd=Decimal(0),
    equity_usd=Decimal(99_000),
    daily_pnl_usd=Decimal("-612.40"),
    peak_equity_usd=Decimal(110_000),
    intraday_peak_usd=Decimal(100_200),
)


def trip(database: Database, source: str = "drawdown", kind: HaltKind = HaltKind.BREAKER) -> None:
    with database.transaction() as session:
        HaltRepository(session).set(HaltRequest(source, "fell", "breaker", record.NOON, kind))


@pytest.fixture
def tripped(house: House) -> House:
    with house.database.transaction() as session:
        AccountRepository(session).upsert(Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON))
        EquityRepository(session).save(DAY)
    trip(house.database)
    return house


def actions(house: House) -> list[str]:
    with house.database.transaction() as session:
        acts = session.execute(text("SELECT action FROM audit_log WHERE action NOT LIKE 'halt.%' ORDER BY id"))
        return [row.action for row in acts]


def equity(house: House) -> EquityDay:
    with house.database.transaction() as session:
        found = EquityRepository(session).last(record.ACCOUNT)
    assert found is not None
    return found


@pytest.mark.ruling(14)
def test_reset_with_the_pin_lifts_trips_and_judges_from_here(api: TestClient, tripped: House) -> None:
    trip(tripped.database, "rest", HaltKind.HALT)
    answer = api.post("/resume", json=WITH_PIN)
    assert (answer.status_code, answer.json()) == (
        200,
        {"halted": True, "by": ["rest"], "warning": "still halted by rest", "accounts": None},
    )
    assert api.post("/resume").json() == {"halted": False, "by": [], "warning": None, "accounts": None}
    assert actions(tripped) == ["pin.right", "breaker.reset", "resume", "resume"]
    with tripped.database.transaction() as session:
        (entry,) = AuditRepository(session).recent(action="breaker.reset")
    assert (entry.subject, entry.detail["peak_equity_usd"]) == (record.ACCOUNT, "110000.00")
    now = equity(tripped)
    assert (now.peak_equity_usd, now.loss_base_usd) == (Decimal(99_000), Decimal("-612.40"))
    assert now.reset_at is not None


@pytest.mark.ruling(13)
def test_a_plain_resume_never_lifts_a_trip(api: TestClient, tripped: House) -> None:
    assert api.post("/resume").json()["by"] == ["drawdown"]
    assert api.post("/resume", json={"breaker": False, "pin": PIN}).json()["by"] == ["drawdown"]
    assert equity(tripped).reset_at is None


@pytest.mark.ruling(14)
def test_reset_needs_admin_and_the_pin(api: TestClient, tripped: House, operator: str, viewer: str) -> None:
    for token, status in ((viewer, 403), (operator, 403)):
        told = api.post("/resume", json=WITH_PIN, headers={"Authorization": f"Bearer {token}"})
        assert (told.status_code, "role" in told.json()["detail"]) == (status, True)
    for pin in (None, "", "482914", "48291", PIN + "0"):
        told = api.post("/resume", json={"breaker": True, "pin": pin})
        assert told.status_code == 403, pin
        assert PIN not in told.text
    assert api.get("/risk/metrics").json()["breaker_active"] is True
    assert actions(tripped).count("resume") == 0


def test_five_wrong_pins_lock_everybody_out_for_a_minute_and_tell(api: TestClient, tripped: House) -> None:
    for _ in range(5):
        assert api.post("/resume", json={"breaker": True, "pin": "000000"}).status_code == 403
    locked = api.post("/resume", json=WITH_PIN)
    assert locked.status_code == 429
    assert "wait" in locked.json()["detail"]
    assert actions(tripped).count("pin.wrong") == 5
    with tripped.database.transaction() as session:
        assert [stored.alert.kind for stored in AlertRepository(session).recent()] == ["wrong_pins"]
    assert api.post("/close/all").status_code == 202  # an exit never waits for a number
    with tripped.database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE audit_log SET recorded_at = recorded_at - interval '61 seconds'"))
    assert api.post("/resume", json=WITH_PIN).json()["halted"] is False


def test_the_same_key_resets_once(api: TestClient, tripped: House) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = api.post("/resume", json=WITH_PIN, headers=headers).json()
    trip(tripped.database, "order_rejects")
    assert api.post("/resume", json=WITH_PIN, headers=headers).json() == first
    assert api.get("/risk/metrics").json()["breaker_reason"] == "order_rejects: fell"
    assert api.post("/resume", headers=headers).status_code == 409


def test_figures_of_the_breaker(api: TestClient, tripped: House) -> None:
    told = api.get("/risk/metrics").json()
    assert told["account"] == record.ACCOUNT
    assert (told["daily_pnl"], told["daily_loss_limit"], told["remaining"]) == ("-612.40", "1000.00", "387.60")
    assert (told["peak_equity"], told["equity"], told["drawdown_pct"]) == ("110000.00", "99000.00", "10.00")
    assert (told["breaker_active"], told["breaker_reason"]) == (True, "drawdown: fell")
    assert (told["tripped_at"], told["ends_at"]) == ("2022-08-26T16:00:00Z", None)


def test_yesterdays_loss_is_not_todays(api: TestClient, tripped: House) -> None:
    tripped.live.said = None
    with tripped.database.transaction() as session:
        HaltRepository(session).clear("test", record.NOON)
    told = api.get("/risk/metrics").json()  # without a desk it is the host's day, years later
    assert (told["daily_pnl"], told["remaining"], told["breaker_active"]) == (None, None, False)
    assert told["peak_equity"] == "110000.00"


def test_nothing_is_known_before_the_first_look(api: TestClient) -> None:
    told = api.get("/risk/metrics").json()
    assert (told["day"], told["daily_pnl"], told["drawdown_pct"], told["breaker_active"]) == (None, None, None, False)


# --- halts through Redis ----------------------------------------------------------------------------------------------


def test_resume_takes_the_flag_out_of_redis(api: TestClient, house: House) -> None:
    trip(house.database, "redis", HaltKind.HALT)
    house.live.rung = "news"
    assert api.post("/resume").json() == {"halted": False, "by": [], "warning": None, "accounts": None}
    assert house.live.rung is None


def test_a_halt_without_the_record_rings_in_redis_too(tmp_path: Path) -> None:
    from tests.support.people import FIRST, FakeLive, furnish

    live = FakeLive()
    dead = furnish(Database("postgresql://htbot@127.0.0.1:1/none"), tmp_path / "none", live)
    with TestClient(dead.app(), base_url="http://127.0.0.1", headers={"X-API-Key": FIRST}) as api:
        told = api.post("/halt", json={"reason": "news"}).json()
        assert (told["halted"], told["by"], live.rung) == (True, ["redis"], "news")
        live.away = True
        assert api.post("/halt", json={"reason": "news"}).status_code == 503


# --- command line -----------------------------------------------------------------------------------------------------

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(
    tripped: House,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    for name, value in {
        "HTBOT_ENV_FILE": os.devnull,
        "HTBOT_VAR_DIR": str(tmp_path / "var"),
        "KILL_SWITCH_FILE": str(tmp_path / "STOP"),
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "HTBOT_PIN": PIN,
    }.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_reset_by_hand(shell: Shell, tripped: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell("resume", "--breaker")[0] == 1
    wrong = tmp_path / "pin"
    wrong.write_text("000000\n")
    code, _, err = shell("resume", "--breaker", "--pin-file", str(wrong))
    assert (code, "PIN" in err) == (1, True)
    assert shell("resume", "--breaker", "--pin-file", str(tmp_path / "none"))[0] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PIN}\n"))
    code, out, _ = shell("resume", "--breaker", "--pin-file", "-")
    assert (code, out) == (0, "no halt is in force\n")
    assert actions(tripped) == ["pin.wrong", "pin.right", "breaker.reset", "resume"]


def test_without_a_pin_nobody_resets(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTBOT_PIN")
    (tmp_path / "pin").write_text(PIN)
    code, _, err = shell("resume", "--breaker", "--pin-file", str(tmp_path / "pin"))
    assert (code, "HTBOT_PIN is unset" in err) == (1, True)


def test_risk_for_people_and_for_scripts(shell: Shell) -> None:
    code, out, _ = shell("risk")
    assert code == 0
    for words in ("drawdown: fell", "trips at 10.00 %", "110000.00"):
        assert words in out
    told: Any = json.loads(shell("risk", "--json")[1])
    assert (told["peak_equity"], told["breaker_active"]) == ("110000.00", True)


def test_money_taken_out_moves_peak_and_start(shell: Shell, tripped: House) -> None:
    code, out, _ = shell("cash-flow", "--amount", "-20000", "--note", "rent\nof the office")
    assert (code, "-20000" in out) == (0, True)
    now = equity(tripped)
    assert (now.peak_equity_usd, now.start_net_liquidation_usd) == (Decimal(90_000), Decimal(80_000))
    with tripped.database.transaction() as session:
        (flow,) = EquityRepository(session).flows(record.ACCOUNT)
        (entry,) = AuditRepository(session).recent(action="cash_flow")
    assert (flow.amount_usd, flow.note, entry.subject) == (Decimal(-20_000), "rent of the office", record.ACCOUNT)
    for amount in ("0", "much", "NaN"):
        assert shell("cash-flow", "--amount", amount, "--note", "x")[0] == 1
    assert shell("cash-flow", "--amount", "5", "--note", "x", "--account", "DU9")[0] == 2
    assert flow.at - record.NOON > timedelta(0)


def test_metrics_of_the_breaker(api: TestClient, tripped: House) -> None:
    page = api.get("/metrics").text
    assert "htbot_breaker_active 1.0" in page
    assert 'htbot_drawdown_pct{account="DU1000001"} 10.0' in page
