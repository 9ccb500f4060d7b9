"""The day, the month, logs, programs and a close by hand, under the names of the seed's admin."""

from __future__ import annotations

import json
import xmlrpc.client
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import PROGRAM, House

from htbot.domain.orders import ExitReason
from htbot.domain.trades import TradeState
from htbot.persistence.records import Account
from htbot.persistence.repositories import AccountRepository, CommandRepository, TradeRepository


def closed(house: House, number: int, day: date, gross: str | None) -> None:
    trade = record.trade(
        number,
        session=day,
        state=TradeState.CLOSED,
        opened_at=record.at(0) - (record.DAY - day),
        closed_at=record.at(60) - (record.DAY - day),
        exit_reason=ExitReason.PROFIT_TARGET,
        gross_pnl_usd=None if gross is None else Decimal(gross),
        commissions_usd=Decimal("2.50"),
    )
    with house.database.transaction() as session:
        TradeRepository(session).add(trade)


@pytest.fixture
def known(house: House) -> None:
    with house.database.transaction() as session:
        AccountRepository(session).upsert(Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON))


def test_the_summary_is_what_the_others_tell(api: TestClient, market: House) -> None:
    told = api.get("/api/v1/dashboard/summary").json()
    assert told["trading"] == api.get("/api/trading/status").json()
    assert told["portfolio"] == api.get("/api/trading/portfolio/summary").json()
    assert told["health"]["status"] == api.get("/api/monitoring/health").json()["status"]


def test_the_day_and_the_month(api: TestClient, house: House, known: None) -> None:
    closed(house, 1, record.DAY, "10")
    closed(house, 2, record.DAY, "-4")
    closed(house, 3, record.DAY - timedelta(days=1), "6.50")
    closed(house, 4, record.DAY - timedelta(days=40), "1000")
    assert api.get("/api/v1/pnl/today").json() == api.get("/pnl").json()
    told = api.get("/api/v1/pnl/month").json()
    assert (told["year"], told["month"], told["trades"]) == (record.DAY.year, record.DAY.month, 3)
    assert [(one["day"], one["net"]) for one in told["days"]] == [("2022-08-25", "4.00"), ("2022-08-26", "1.00")]
    assert (told["gross"], told["commissions"], told["net"]) == ("12.50", "7.50", "5.00")
    july = api.get("/api/v1/pnl/month?year=2022&month=7").json()
    assert (july["trades"], july["net"]) == (1, "997.50")
    empty = api.get("/api/v1/pnl/month?year=2021&month=2").json()
    assert (empty["trades"], empty["net"], empty["days"]) == (0, "0.00", [])
    closed(house, 5, record.DAY, None)
    assert api.get("/api/v1/pnl/month").json()["net"] is None, "one that is unknown makes the sum unknown"
    assert api.get("/api/v1/pnl/month?year=2022").status_code == 400
    assert api.get("/api/v1/pnl/month?year=2022&month=13").status_code == 422


def test_logs_by_program_level_and_text(api: TestClient, house: House) -> None:
    (folder := house.folder / "log").mkdir()
    lines: list[dict[str, Any]] = [
        {"timestamp": f"2026-01-05T12:00:0{number}+00:00", "level": level, "event": f"Line {number}"}
        for number, level in enumerate(("debug", "info", "error"))
    ]
    (folder / "desk.log").write_text("\n".join(map(json.dumps, lines)))
    (folder / "api.log").write_text(json.dumps({**lines[1], "event": "other"}))

    def told(query: str) -> list[str]:
        return [line["event"] for line in api.get(f"/api/v1/logs{query}").json()]

    assert sorted(told("")) == ["Line 1", "Line 2", "other"]
    assert told("?service=desk&level=debug") == ["Line 2", "Line 1", "Line 0"]
    assert told("?level=error") == ["Line 2"]
    assert told("?search=line 1") == ["Line 1"]
    assert told("?limit=1") == ["Line 2"]
    assert api.get("/api/v1/logs?service=../desk").status_code == 422


def test_programs_are_told_as_their_supervisor_does(api: TestClient) -> None:
    assert api.get("/api/v1/services").json() == [
        {"name": PROGRAM.name, "state": PROGRAM.state, "pid": PROGRAM.pid, "running_s": 3600.0}
    ]


def test_a_program_is_started_anew_once_per_key_and_not_the_desk_while_a_trade_is_open(
    api: TestClient, house: House
) -> None:
    path, keyed = "/api/v1/service/desk/restart", {"Idempotency-Key": "k1"}
    told = api.post(path, headers=keyed)
    assert (told.status_code, told.json()["name"], api.post(path, headers=keyed).json()) == (202, "desk", told.json())
    assert house.ended == ["desk"]
    with house.database.transaction() as session:
        TradeRepository(session).add(record.trade(state=TradeState.OPEN))
    refused = api.post(path)
    assert (refused.status_code, record.trade().id in refused.json()["detail"]) == (409, True)
    assert api.post(path, json={"force": True}).status_code == 202
    assert [api.post(f"/api/v1/service/{name}/restart").status_code for name in ("worker", "postgres")] == [409, 404]
    assert house.ended == ["desk", "desk"], "what does not run is not ended"
    acts = [act for act in api.get("/api/v1/audit").json()["items"] if act["action"] == "program.restart"]
    assert [(act["subject"], act["detail"].get("force", False)) for act in acts] == [("desk", True), ("desk", False)]


@pytest.mark.parametrize("refusal", [xmlrpc.client.Fault(70, "NOT_RUNNING: desk"), ConnectionRefusedError("no socket")])
def test_what_the_supervisor_did_not_do_is_asked_again_under_the_same_key(
    api: TestClient, house: House, refusal: Exception
) -> None:
    def restarts() -> int:
        return [act["action"] for act in api.get("/api/v1/audit").json()["items"]].count("program.restart")

    path, keyed = "/api/v1/service/desk/restart", {"Idempotency-Key": "k1"}
    house.refusal = refusal
    refused = api.post(path, headers=keyed)
    assert (refused.status_code, "supervisor" in refused.json()["detail"], house.ended) == (503, True, [])
    assert restarts() == 0, "what did not happen is no act"
    house.refusal = None
    assert [api.post(path, headers=keyed).status_code for _ in range(2)] == [202, 202]
    assert (house.ended, restarts()) == (["desk"], 1)


def test_a_close_by_hand_names_one_thing(api: TestClient, house: House, known: None) -> None:
    ids = []
    for number in (1, 2):
        trade = record.trade(number, strategy=f"s{number}", state=TradeState.OPEN)
        ids.append(trade.id)
        with house.database.transaction() as session:
            TradeRepository(session).add(trade)
    body = {"position_ids": [*ids, ids[0]], "pin": "000000", "reason": "news"}
    keyed = {"Idempotency-Key": "k1"}
    answer = api.post("/api/v1/manual-close", json=body, headers=keyed)
    assert answer.status_code == 202, answer.text
    assert api.post("/api/v1/manual-close", json=body, headers=keyed).json() == answer.json()
    for other in ({"position_ids": ids[:1]}, {"close_all": True}):
        assert api.post("/api/v1/manual-close", json=other, headers=keyed).status_code == 409, "a key has one effect"
    with house.database.transaction() as session:
        assert [one.params for one in CommandRepository(session).open()] == [{"trade": one} for one in ids]
    assert len(api.post("/api/v1/manual-close", json={"close_all": True}).json()["commands"]) == 1
    assert len(api.post("/api/v1/manual-close", json={"follower_id": record.ACCOUNT}).json()["commands"]) == 1
    for wrong in ({}, {"close_all": True, "follower_id": record.ACCOUNT}, {"close_all": False}):
        assert api.post("/api/v1/manual-close", json=wrong).status_code == 422
    with house.database.transaction() as session:
        before = len(CommandRepository(session).open())
    assert api.post("/api/v1/manual-close", json={"position_ids": [*ids, "nothing"]}).status_code == 404
    with house.database.transaction() as session:
        assert len(CommandRepository(session).open()) == before, "nothing is closed when one is not known"


def test_a_trade_that_is_over_keeps_nobody_from_closing_the_rest(api: TestClient, house: House, known: None) -> None:
    made = [
        record.trade(1, strategy="s1", state=TradeState.CLOSED, closed_at=record.at(3)),
        record.trade(2, strategy="s2", state=TradeState.OPEN),
    ]
    with house.database.transaction() as session:
        for trade in made:
            TradeRepository(session).add(trade)
    over, rest = (trade.id for trade in made)
    answer = api.post("/api/v1/manual-close", json={"position_ids": [over, rest]})
    assert answer.status_code == 202, answer.text
    assert len(answer.json()["commands"]) == 1
    with house.database.transaction() as session:
        assert [one.params for one in CommandRepository(session).open()] == [{"trade": rest}]
    assert api.post("/api/v1/manual-close", json={"position_ids": [over]}).status_code == 409
