"""How the system is, also while a part of it is away."""

from __future__ import annotations

from pathlib import Path

from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import FIRST, FakeLive, House, clock, furnish

from htbot.persistence.engine import Database
from htbot.persistence.records import Worker
from htbot.persistence.repositories import AlertRepository, SignalRepository, WorkerRepository
from htbot.services.schedule import READ_MARKET

LISTS = ("orders", "positions", "halts", "reconciliation", "audit", "alerts", "evaluations")
READS = (
    *(f"/api/v1/{name}" for name in (*LISTS, "risk", "risk/metrics", "count", "profit", "performance")),
    *("/api/strategies/active", "/api/strategies/stats", "/api/scheduler/status", "/symbols", "/history/SPY"),
    *("/api/trading/performance", "/api/trading/portfolio/summary", "/api/trading/trades", "/api/trading/ibkr/status"),
    *("/api/market-data/quotes", "/api/monitoring/metrics", "/api/monitoring/usage"),
)


def test_health_is_a_word_with_what_stands_behind_it(api: TestClient, house: House) -> None:
    assert api.get("/api/monitoring/health").json()["status"] == "ok"
    house.live.said = clock(connection="lost")
    told = api.get("/api/monitoring/health").json()
    assert (told["status"], told["checks"]["connection"]) == ("degraded", "lost")
    house.live.said = None
    assert api.get("/api/monitoring/health").json()["status"] == "down"
    with house.database.transaction() as session:
        AlertRepository(session).add(record.alert())
        worker = Worker("w", "here", 1, "0", (READ_MARKET,), record.NOON, record.NOON)
        WorkerRepository(session).ready(worker)
    told = api.get("/api/monitoring/health/detailed").json()
    assert (told["undelivered_alerts"], told["dead_alerts"], told["workers"][0]["name"]) == (1, 0, "w")
    assert told["door_age_s"] is None
    house.rounds.turn()
    assert api.get("/api/monitoring/health/detailed").json()["door_age_s"] >= 0


def test_counts_usage_and_limits(api: TestClient, house: House) -> None:
    with house.database.transaction() as session:
        SignalRepository(session).add(record.signal(), None)
    assert api.get("/api/monitoring/metrics").json()["signals"] == {"accepted": 1}
    usage = api.get("/api/monitoring/usage").json()
    assert "trades" in {one["table"] for one in usage["record"]["tables"]}
    assert usage["disk_total_bytes"] > usage["disk_free_bytes"] > 0
    limits = api.get("/api/monitoring/rate-limits").json()
    assert (limits["wrong_tokens"], limits["wrong_pins"], limits["classes"]["act"]["body_bytes"]) == (5, 5, 65_536)


def test_without_postgres_every_read_says_503_and_health_says_down(tmp_path: Path) -> None:
    dead = furnish(Database("postgresql://htbot@127.0.0.1:1/none"), tmp_path, FakeLive())
    with TestClient(dead.app(), base_url="http://127.0.0.1", headers={"X-API-Key": FIRST}) as api:
        for path in READS:
            answer = api.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), path
            assert answer.headers["content-type"] == "application/problem+json"
        for path in ("strategies/fast/enable", "scheduler/pause", "trading/ibkr/connect"):
            assert api.post(f"/api/{path}").status_code == 503, path
        told = api.get("/api/monitoring/health/detailed").json()
        assert (told["status"], told["checks"]["database"], told["workers"]) == ("down", "away", None)
