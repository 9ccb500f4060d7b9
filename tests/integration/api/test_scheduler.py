"""The scheduler over REST: what each state lets through, and what the status says of the day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import HOST_NOW, SPREAD, House, clock

from htbot.domain.signals import OBSERVED
from htbot.persistence.records import Worker
from htbot.persistence.repositories import (
    HaltRepository,
    HaltRequest,
    SignalRepository,
    TaskRunRepository,
    TradeRepository,
    WorkerRepository,
)
from htbot.persistence.states import HaltKind
from htbot.services.schedule import MARK_PNL, READ_MARKET


def move(api: TestClient, act: str, key: str | None = None) -> tuple[int, str]:
    answer = api.post(f"/api/scheduler/{act}", headers={} if key is None else {"Idempotency-Key": key})
    return answer.status_code, answer.json().get("state") or answer.json()["detail"]


def test_states_follow_each_other(api: TestClient, house: House) -> None:
    assert api.get("/api/scheduler/status").json()["state"] == "running"
    assert move(api, "resume") == (200, "running")
    assert move(api, "pause") == (200, "paused")
    assert move(api, "pause") == (200, "paused")
    assert move(api, "resume") == (200, "running")
    assert move(api, "stop") == (200, "stopped")
    for act in ("pause", "resume"):
        assert move(api, act) == (409, f"the scheduler is stopped: start it, there is nothing to {act}")
    assert move(api, "start") == (200, "running")
    with house.database.transaction() as session:
        acts = list(session.scalars(text("SELECT action FROM audit_log ORDER BY id")))
    assert acts == [f"scheduler.{act}" for act in ("pause", "resume", "stop", "start")]


def test_a_key_acts_once(api: TestClient) -> None:
    move(api, "pause", "k1")
    move(api, "resume")
    assert move(api, "pause", "k1") == (200, "paused")
    assert api.get("/api/scheduler/status").json()["state"] == "running"
    assert move(api, "stop", "k1")[0] == 409


def test_a_pause_refuses_a_spread_by_hand_and_names_the_way_out(api: TestClient, market: House) -> None:
    move(api, "pause")
    refused = api.post("/trade/signal", json=SPREAD)
    assert (refused.status_code, refused.json()["rule"]) == (422, "halt")
    assert "POST /api/scheduler/resume" in refused.json()["detail"]
    assert api.post("/close/all").status_code == 202, "exits go on"
    move(api, "resume")
    assert api.post("/trade/signal", json=SPREAD).status_code == 202


def test_a_halt_of_one_account_leaves_the_others(api: TestClient, market: House) -> None:
    other = "DU1000002"

    def halt(account: str) -> None:
        with market.database.transaction() as session:
            trip = HaltRequest("drawdown", "fell", "breaker", record.NOON, HaltKind.BREAKER, account=account)
            HaltRepository(session).set(trip)

    def told(path: str, **chosen: str) -> Any:
        return api.get(path, params=chosen).json()

    market.live.said = clock(others=(other,))
    halt(other)
    assert told("/api/scheduler/status")["why_not"] is None
    assert told("/api/trading/status")["breaker_active"] is False
    assert [told("/risk/metrics", **chosen)["breaker_active"] for chosen in ({}, {"account": other})] == [False, True]
    assert [halt["account"] for halt in told("/status")["halt"]] == [other]
    halt(record.ACCOUNT)
    assert told("/api/scheduler/status")["why_not"] == "halted by drawdown, drawdown"
    assert told("/api/trading/status")["halted_by"] == ["drawdown"]


def test_status_says_whether_anything_can_be_entered_and_why_not(api: TestClient, market: House) -> None:
    def why_not() -> str | None:
        told = api.get("/api/scheduler/status").json()
        assert told["can_run"] is (told["why_not"] is None)
        return str(told["why_not"]) if told["why_not"] else None

    assert why_not() is None
    market.live.said = clock(market_time=record.NOON - timedelta(hours=2, minutes=15))
    assert why_not() == "no entry window is open: the next is that of spx_breakout, from 10:00 New York"
    market.live.said = clock(market_time=record.NOON + timedelta(hours=3))
    assert why_not() == "no entry window is open any more: the last, that of spx_breakout, ended at 15:00 New York"
    asked = {"name": "r", "type": "range_bound", "symbol": "SPY", "enabled": True, "settings": {"exit_time": "15:45"}}
    api.post("/api/strategies/add", json=asked)
    assert why_not() is not None, "one that observes enters nothing"
    changed = api.post("/api/strategies/r/mode", json={"mode": "trade"})
    assert changed.status_code == 200, changed.text
    assert why_not() is None, "its window is the whole session"
    market.live.said = clock(trading_enabled=False, reason="recovering")
    assert why_not() == "the desk lets no entry leave: recovering"
    api.post("/halt", json={"reason": "news"})
    assert why_not() == "halted by rest"
    market.live.said = clock(connection="lost")
    assert why_not() == "the desk is not connected: lost"
    market.live.said = clock(market_time=record.NOON + timedelta(hours=5))
    assert why_not() == "the market is closed"
    move(api, "stop")
    assert why_not() == "the scheduler is stopped by rest:first: htbot scheduler start, POST /api/scheduler/start"
    rows = {row["task"]: row["runs"] for row in api.get("/api/scheduler/status").json()["config"]}
    assert (rows[READ_MARKET], rows[MARK_PNL]) == (False, True)


def test_stats_count_the_day(api: TestClient, market: House) -> None:
    with market.database.transaction() as session:
        runs = TaskRunRepository(session)
        for minute in (0, 1):
            runs.begin(READ_MARKET, "all", record.at(minute))
            runs.finish(READ_MARKET, "all", record.at(minute), [])
        runs.begin(READ_MARKET, "all", record.at(-60 * 24))
        runs.finish(READ_MARKET, "all", record.at(-60 * 24), [])
        runs.fail(MARK_PNL, "all", record.at(), "ValueError: moon")
        WorkerRepository(session).ready(
            Worker("w", "here", 1, "0", (READ_MARKET,), HOST_NOW - timedelta(minutes=1), HOST_NOW)
        )
        SignalRepository(session).add(record.signal(), None)
        SignalRepository(session).add(record.signal(level=4170.0), "open_trade: one is open")
        for level, refused_by in ((4180.0, OBSERVED), (4190.0, "open_trade: one is open")):
            SignalRepository(session).add(record.signal(level=level, observed=True), refused_by)
        TradeRepository(session).add(record.trade())
    assert api.get("/api/scheduler/stats").json() == {
        "evaluations_run": 2,
        "signals_generated": 4,
        "signals_observed": 2,
        "trades_executed": 1,
        "trades_rejected": 1,
        "errors": 1,
        "monitored_positions": 1,
        "last_evaluation": "2022-08-26T16:01:00Z",
        "last_trade": "2022-08-26T16:01:00Z",
        "uptime_seconds": 60.0,
    }
