"""Lists page by page: nothing twice, nothing lost, whatever is inserted meanwhile; and what the rows mean."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support import plain, record
from tests.support.asgi import TestClient
from tests.support.people import HOST_NOW, SPREAD, House

from htbot.domain.alerts import Severity
from htbot.domain.bars import Bar
from htbot.domain.orders import OrderState
from htbot.domain.trades import TradeState
from htbot.persistence.records import AuditEntry, StrategyInstance
from htbot.persistence.repositories import (
    AlertRepository,
    AuditRepository,
    BarRepository,
    EvaluationRepository,
    FillRepository,
    HaltRepository,
    HaltRequest,
    IntentRepository,
    OrderRepository,
    RiskDecisionRepository,
    SignalRepository,
    StrategyRepository,
    TradeRepository,
)
from htbot.persistence.states import HaltKind
from htbot.risk.gate import BROKER_RULES, RULES
from htbot.services.bookings import PositionFolds


def pages(api: TestClient, path: str, limit: int, **params: Any) -> list[list[dict[str, Any]]]:
    """Every page of a list."""
    found, cursor = [], None
    while True:
        asked = {**params, "limit": limit} | ({} if cursor is None else {"cursor": cursor})
        answer = api.get(f"/api/v1/{path}", params=asked)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        cursor = answer.json()["next"]
        if cursor is None:
            return found


def tell(house: House, *keys: str, **changes: Any) -> None:
    with house.database.transaction() as session:
        for key in keys:
            AlertRepository(session).add(record.alert(key, **changes))


def test_pages_go_through_a_list_once_and_end_with_null(api: TestClient, house: House) -> None:
    tell(house, *(f"alert-{number}" for number in range(7)))
    found = pages(api, "alerts", 3)
    assert [len(page) for page in found] == [3, 3, 1]
    ids = [row["id"] for page in found for row in page]
    assert ids == sorted(ids, reverse=True)
    assert [len(page) for page in pages(api, "alerts", 7)] == [7], "a last page that is full has no next one"
    assert pages(api, "halts", 5) == [[]]


def test_inserts_do_not_move_what_follows(api: TestClient, house: House) -> None:
    tell(house, *(f"alert-{number}" for number in range(4)))
    first = api.get("/api/v1/alerts", params={"limit": 2}).json()
    tell(house, "later-1", "later-2")
    second = api.get("/api/v1/alerts", params={"limit": 2, "cursor": first["next"]}).json()
    ids = [row["id"] for page in (first, second) for row in page["items"]]
    assert len(set(ids)) == 4
    assert second["next"] is None


def tampered(cursor: str, *values: object) -> str:
    stamp = json.loads(base64.urlsafe_b64decode(cursor + "=="))[0]
    return base64.urlsafe_b64encode(json.dumps([stamp, *values]).encode()).decode().rstrip("=")


def test_a_cursor_is_good_for_its_list_and_filters_only(api: TestClient, house: House) -> None:
    tell(house, "one", "two")
    cursor = api.get("/api/v1/alerts", params={"limit": 1}).json()["next"]
    strange = [tampered(cursor, value) for value in ("x", None, 10**30, 1.5, True, [1])]
    for params in ({"cursor": "moon"}, {"cursor": cursor, "kind": "entry"}, *({"cursor": one} for one in strange)):
        answer = api.get("/api/v1/alerts", params=params)
        assert (answer.status_code, answer.json()["detail"][:7]) == (400, "cursor:"), params
    assert api.get("/api/v1/audit", params={"cursor": cursor}).status_code == 400
    assert api.get("/api/v1/alerts", params={"cursor": "<>"}).status_code == 422


UNFIT: list[dict[str, Any]] = [
    *({"limit": limit} for limit in (0, 501, "x")),
    *({"day": day} for day in ("0001-01-01", "9999-12-31")),
    {"sevrity": "INFO"},
    {"severity": "loud"},
    {"since": "2022-08-26T16:00:00"},
    {"until": "9999-12-31T23:59:59Z"},
]


def test_a_parameter_that_does_not_fit_is_refused(api: TestClient) -> None:
    for params in UNFIT:
        answer = api.get("/api/v1/alerts", params=params)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), params


# --- alerts -----------------------------------------------------------------------------------------------------------


def test_alerts_are_acknowledged_once_and_by_whom_is_stored(api: TestClient, house: House, viewer: str) -> None:
    tell(house, "one", kind="entry")
    tell(house, "two", kind="error", severity=Severity.CRITICAL)
    (alert,) = api.get("/api/v1/alerts", params={"kind": "error", "ack": False}).json()["items"]
    path = f"/api/v1/alerts/{alert['id']}/ack"
    assert api.post(path, headers={"Authorization": f"Bearer {viewer}"}).status_code == 403
    told = api.post(path, headers={"Idempotency-Key": "k1"}).json()
    at = HOST_NOW.isoformat().replace("+00:00", "Z")
    assert (told["acknowledged_by"], told["acknowledged_at"]) == ("rest:first", at)
    assert api.post(path, headers={"Idempotency-Key": "k1"}).json() == told
    assert api.post(path).json() == told
    assert [one["kind"] for one in api.get("/api/v1/alerts", params={"ack": False}).json()["items"]] == ["entry"]
    acts = api.get("/api/v1/audit", params={"action": "alert"}).json()["items"]
    assert [(act["action"], act["actor"], act["subject"]) for act in acts] == [
        ("alert.acknowledged", "rest:first", str(alert["id"]))
    ]
    assert api.post("/api/v1/alerts/999999/ack").status_code == 404


# --- orders and positions ---------------------------------------------------------------------------------------------


@pytest.fixture
def traded(house: House) -> House:
    """Three entries in the order of time: one works, one is filled, one was cancelled."""
    states = (OrderState.SUBMITTED, OrderState.FILLED, OrderState.CANCELLED)
    with house.database.transaction() as session:
        for number, state in enumerate(states, start=1):
            trade = record.trade(number, strategy=f"strategy_{number}")
            intent = record.entry(trade, number)
            seen = SignalRepository(session).add(record.signal(4160.0 + number, strategy=trade.strategy), None)
            RiskDecisionRepository(session).add(record.approval(number), seen)
            TradeRepository(session).add(trade)
            IntentRepository(session).add(intent)
            OrderRepository(session).upsert(record.order(intent, state=state), record.at(number))
        for leg in (record.SHORT, record.LONG):
            refold = record.fill(record.entry(record.trade(2, strategy="strategy_2"), 2), leg, f"exec-{leg.con_id}")
            FillRepository(session).add(refold, record.at(3))
            PositionFolds().refold(session, [(record.ACCOUNT, leg.con_id)], record.at(3))
    return house


def test_positions_are_paged_by_account_and_contract_with_their_trade(api: TestClient, traded: House) -> None:
    found = [row for page in pages(api, "positions", 1) for row in page]
    assert [(row["con_id"], row["quantity"]) for row in found] == [(11, -1), (12, 1)]
    assert {row["trade_id"] for row in found} < {record.trade(number).id for number in (1, 2, 3)}
    assert api.get("/api/v1/positions", params={"symbol": "SPY"}).json() == {"items": [], "next": None}


def test_orders_are_filtered_and_told_with_their_legs(api: TestClient, traded: House) -> None:
    found = pages(api, "orders", 2)
    assert [row["status"] for page in found for row in page] == ["CANCELLED", "FILLED", "SUBMITTED"]
    (working,) = api.get("/api/v1/orders", params={"working": True}).json()["items"]
    assert (working["status"], [leg["side"] for leg in working["legs"]]) == ("SUBMITTED", ["SELL", "BUY"])
    assert len(api.get("/api/v1/orders", params={"symbol": "SPX", "day": "2022-08-26"}).json()["items"]) == 3
    assert api.get("/api/v1/orders", params={"account": "DU9"}).json() == {"items": [], "next": None}
    one = api.get(f"/api/v1/orders/{working['ref']}").json()
    assert (one["order"], one["fills"]) == (working, [])
    assert api.get("/api/v1/orders/moon").status_code == 404


def test_orders_are_cancelled_one_or_all(api: TestClient, traded: House) -> None:
    (working,) = api.get("/api/v1/orders", params={"working": True}).json()["items"]
    one = api.post(f"/api/v1/orders/{working['ref']}/cancel").json()
    everything = api.post("/api/v1/orders/cancel-all").json()
    told = [api.get(f"/commands/{answer['command_id']}").json()["params"] for answer in (one, everything)]
    assert told == [{"ref": working["ref"]}, {"ref": "all"}]
    assert api.post("/api/v1/orders/moon/cancel").status_code == 404


def test_one_trade_is_closed_by_one_command(api: TestClient, traded: House) -> None:
    trade_id = record.trade(2).id
    first = api.post(f"/api/v1/positions/{trade_id}/close").json()
    assert api.post(f"/api/v1/positions/{trade_id}/close").json() == first
    command = api.get(f"/commands/{first['command_id']}").json()
    assert (command["kind"], command["params"]) == ("close_trade", {"trade": trade_id})
    assert api.post("/api/v1/positions/moon/close").status_code == 404
    everything = api.post("/close/all").json()
    assert api.post(f"/api/v1/positions/{record.trade(1).id}/close").json() == everything, "it joins what closes more"


def test_an_expired_trade_is_settled_by_one_command(api: TestClient, traded: House) -> None:
    trade_id, key = record.trade(2).id, {"Idempotency-Key": "settle-1"}
    path = f"/api/v1/trades/{trade_id}/settle"
    first = api.post(path, json={"price": "4148.50"}, headers=key)
    assert (first.status_code, api.post(path, json={"price": "4148.50"}, headers=key).json()) == (202, first.json())
    command = api.get(f"/commands/{first.json()['command_id']}").json()
    assert (command["kind"], command["params"]) == ("settle", {"trade": trade_id, "price": "4148.50"})
    acts = [act for act in api.get("/api/v1/audit").json()["items"] if act["action"] == "settle"]
    assert [(act["actor"], act["subject"], act["detail"]["price"]) for act in acts] == [
        ("rest:first", trade_id, "4148.50")
    ]
    assert api.post("/api/v1/trades/moon/settle", json={"price": "4148.50"}).status_code == 404
    assert api.post(path, json={"price": "0"}).status_code == 422
    traded.live.said = None
    assert api.post(path, json={"price": "4148.50"}).status_code == 409, "nobody is there to look and book"


def test_a_settlement_price_far_from_the_market_is_said_twice(api: TestClient, traded: House) -> None:
    path, ends = f"/api/v1/trades/{record.trade(2).id}/settle", record.at(200)
    bars = [Bar("SPX", ends - timedelta(minutes=5 * n), 5, 4150, 4150, 4140, 4148.5 - n) for n in (2, 1)]
    with traded.database.transaction() as session:
        BarRepository(session).upsert(record.WORLD, bars, ends)
    refused = api.post(path, json={"price": "414.75"})
    assert refused.status_code == 400
    assert "price 414.75 is 90.0% from 4147.5, the last bar of SPX on 2022-08-26" in refused.json()["detail"]
    assert api.post(path, json={"price": "4355.00"}).status_code == 400
    assert api.post(path, json={"price": "4354.00"}).status_code == 202
    assert api.post(path, json={"price": "414.75", "force": True}).status_code == 202
    acts = [act["detail"] for act in api.get("/api/v1/audit").json()["items"] if act["action"] == "settle"]
    assert sorted((act["price"], act.get("force", False)) for act in acts) == [("414.75", True), ("4354.00", False)]


def test_an_expired_trade_is_closed_at_prices_of_its_legs(api: TestClient, traded: House) -> None:
    path, ends = f"/api/v1/trades/{record.trade(2).id}/settle", record.at(200)
    with traded.database.transaction() as session:
        BarRepository(session).upsert(
            record.WORLD, [Bar("SPX", ends - timedelta(minutes=5), 5, 4150, 4150, 4140, 4148.5)], ends
        )
    for body in ({}, {"price": "4148.50", "legs": {"11": "1.50"}}, {"legs": {}}, {"legs": {"11": "-1"}}):
        assert api.post(path, json=body).status_code == 422, body
    half = api.post(path, json={"legs": {"11": "1.50"}})
    assert (half.status_code, "11 (4150 P), 12 (4110 P)" in half.json()["detail"]) == (400, True)
    slip = api.post(path, json={"legs": {"11": "250", "12": "0"}})
    assert (slip.status_code, "it was worth 1.5 with SPX at 4148.5" in slip.json()["detail"]) == (400, True)
    told = api.post(path, json={"legs": {"12": "0.05", "11": "2.50"}})
    assert told.status_code == 202
    command = api.get(f"/commands/{told.json()['command_id']}").json()
    legs = {"11": "2.50", "12": "0.05"}
    assert command["params"] == {"trade": record.trade(2).id, "legs": legs}
    [act] = [act["detail"] for act in api.get("/api/v1/audit").json()["items"] if act["action"] == "settle"]
    assert act["legs"] == legs
    assert api.post(path, json={"legs": {"11": "250", "12": "0"}, "force": True}).status_code == 202


def test_shares_that_somebody_sold_are_settled_by_price_and_number(api: TestClient, house: House) -> None:
    held = plain.trade(state=TradeState.OPEN, credit=Decimal("-400.00"))
    path = f"/api/v1/trades/{held.id}/settle"
    with house.database.transaction() as session:
        TradeRepository(session).add(held)
        BarRepository(session).upsert(record.WORLD, [Bar("SPY", record.at(-5), 5, 401, 402, 400, 401)], record.at())
    slip = api.post(path, json={"price": "40.10"})
    assert (slip.status_code, "the last bar of SPY today" in slip.json()["detail"]) == (400, True)
    assert api.post(path, json={"legs": {"756": "401.00"}}).status_code == 400
    assert api.post(path, json={"legs": {"756": "401.00"}, "quantity": 1}).status_code == 422
    told = api.post(path, json={"price": "401.20", "quantity": 60})
    command = api.get(f"/commands/{told.json()['command_id']}").json()
    assert command["params"] == {"trade": held.id, "price": "401.20", "quantity": 60}
    [act] = [act["detail"] for act in api.get("/api/v1/audit").json()["items"] if act["action"] == "settle"]
    assert (act["price"], act["quantity"]) == ("401.20", 60)


def test_of_many_instances_the_status_names_few_and_a_list_has_them_by_pages(api: TestClient, house: House) -> None:
    """7,000 of them made a status of 1.6 MB."""
    with house.database.transaction() as session:
        for number in range(25):
            mode = "trade" if number % 2 else "observe"
            facts = ("ma_crossover", "SPY", 5, 20, {}, "c0ffee", number > 2, mode, record.NOON, record.NOON)
            StrategyRepository(session).add(StrategyInstance(f"s{number:02d}", *facts))
        TradeRepository(session).add(record.trade(1, strategy="s24", state=TradeState.OPEN))
    status = api.get("/status").json()
    assert status["instance_counts"] == {"total": 25, "enabled": 22, "trading": 11, "in_trade": 1}
    assert [one["name"] for one in status["instances"]][:3] == ["s24", "s03", "s05"], "in a trade, may trade"
    assert len(status["instances"]) == 20
    first = api.get("/api/v1/strategies", params={"limit": 20}).json()
    rest = api.get("/api/v1/strategies", params={"limit": 20, "cursor": first["next"]}).json()
    assert [one["name"] for one in first["items"] + rest["items"]] == [f"s{number:02d}" for number in range(25)]
    assert (rest["next"], rest["items"][-1]["state"]) == (None, "in_trade")
    off = api.get("/api/v1/strategies", params={"enabled": False, "mode": "trade"}).json()["items"]
    assert [(one["name"], one["state"]) for one in off] == [("s01", "disabled")]


# --- risk and halts ---------------------------------------------------------------------------------------------------


def test_halts_are_set_listed_and_lifted(api: TestClient, house: House) -> None:
    with house.database.transaction() as session:
        HaltRepository(session).set(HaltRequest("daily_loss", "lost 700", "gate", record.NOON, HaltKind.BREAKER))
    assert api.post("/api/v1/halts", json={"reason": "news"}).json()["halted"] is True
    assert [one["source"] for one in api.get("/api/v1/halts").json()["items"]] == ["rest", "daily_loss"]
    assert [one["source"] for one in api.get("/api/v1/risk/halts").json()] == ["daily_loss", "rest", "file"]
    lifted = api.delete("/api/v1/halts").json()
    assert (lifted["halted"], lifted["by"]) == (True, ["daily_loss"])
    over = api.get("/api/v1/halts", params={"in_force": False}).json()["items"]
    assert [(one["source"], one["cleared_by"]) for one in over] == [("rest", "rest:first")]
    assert [one["kind"] for one in api.get("/api/v1/halts", params={"in_force": True}).json()["items"]] == ["breaker"]


@pytest.mark.ruling(14)
def test_the_breaker_is_reset_by_an_admin_with_the_pin(api: TestClient, house: House, operator: str) -> None:
    with house.database.transaction() as session:
        HaltRepository(session).set(HaltRequest("drawdown", "10 %", "gate", record.NOON, HaltKind.BREAKER))
    for path in ("/api/v1/risk/reset-circuit-breaker", "/api/v1/risk/breaker/reset"):
        small = api.post(path, json={"pin": "482913"}, headers={"Authorization": f"Bearer {operator}"})
        assert small.status_code == 403
        assert api.post(path, json={"pin": "000000"}).status_code == 403
        assert api.post(path, json={}).status_code == 422
    assert api.post("/api/v1/risk/reset-circuit-breaker", json={"pin": "482913"}).json()["halted"] is False


def test_every_rule_has_its_limit_and_what_it_says_now(api: TestClient, market: House) -> None:
    rules = {one["rule"]: one for one in api.get("/api/v1/risk").json()}
    assert list(rules) == [rule.__module__.rpartition(".")[2] for rule in (*RULES, *BROKER_RULES)]
    assert (rules["halt"]["source"], rules["halt"]["passed"], rules["halt"]["value"]) == ("now", True, "none")
    assert (rules["open_orders"]["limit"], rules["open_orders"]["value"]) == ("20", "0")
    assert (rules["what_if"]["source"], rules["what_if"]["limit"]) == ("none", None)
    api.post("/halt", json={"reason": "news"})
    api.post("/trade/signal", json=SPREAD)
    api.post("/resume")
    api.post("/trade/signal", json=SPREAD)
    rules = {one["rule"]: one for one in api.get("/api/v1/risk").json()}
    assert rules["halt"]["passed"] is True
    assert (rules["what_if"]["source"], rules["what_if"]["passed"]) == ("decision", True)
    assert (rules["minimum_credit"]["source"], rules["open_orders"]["value"]) == ("decision", "1")
    assert all(one["description"] for one in rules.values())


def test_without_a_desk_rules_tell_the_last_decision(api: TestClient, market: House) -> None:
    api.post("/trade/signal", json=SPREAD)
    market.live.seen = None
    assert {one["source"] for one in api.get("/api/v1/risk").json()} == {"decision"}


# --- evaluations and audit --------------------------------------------------------------------------------------------


def test_evaluations_say_why_not_and_gate_by_gate(api: TestClient, house: House) -> None:
    with house.database.transaction() as session:
        looks = EvaluationRepository(session)
        for minute in range(4):
            looks.add(record.evaluation(as_of=record.at(minute)))
        looks.add(record.evaluation(as_of=record.at(9), why_not=None))
        seen = SignalRepository(session).add(record.signal(as_of=record.at(9)), "minimum_credit: too small")
        RiskDecisionRepository(session).add(record.refusal(), seen)
    assert [len(page) for page in pages(api, "evaluations", 2)] == [2, 2, 1]
    assert [len(page) for page in pages(api, "evaluations", 2, strategy=record.STRATEGY)] == [2, 2, 1]
    (fired,) = api.get("/api/v1/evaluations", params={"fired": True}).json()["items"]
    assert (fired["why_not"], fired["signal"]["refused_by"]) == (None, "minimum_credit")
    gate = [(one["rule"], one["passed"]) for one in fired["outcomes"]]
    assert gate == [("open_trade", True), ("minimum_credit", False)]
    since = {"since": record.at(2).isoformat(), "until": record.at(9).isoformat()}
    quiet = api.get("/api/v1/evaluations", params=since).json()["items"]
    assert [one["why_not"] for one in quiet] == ["inside the day's range"] * 2
    assert api.get("/api/v1/evaluations", params={"strategy": "other"}).json()["items"] == []


def test_the_audit_log_is_listed_and_verified(api: TestClient, house: House) -> None:
    with house.database.transaction() as session:
        for action in ("halt.set", "halt", "halting"):
            AuditRepository(session).add(AuditEntry(record.NOON, "user:1", action, "x", {"a": 1}))
    acts = api.get("/api/v1/audit", params={"action": "halt"}).json()["items"]
    assert [(act["action"], act["seq"]) for act in acts] == [("halt", 2), ("halt.set", 1)]
    assert api.get("/api/v1/audit", params={"actor": "user:2"}).json()["items"] == []
    told = api.get("/api/v1/audit/verify").json()
    assert (told["ok"], told["links"]["audit_log"], told["problems"]) == (True, 3, [])
    assert api.get("/api/v1/audit/books").json()["ok"] is True
