from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.support import record
from tests.support.accounts import ENOUGH, enough_margin
from tests.support.asgi import TestClient
from tests.support.people import FIRST, SPREAD, FakeLive, House, chain, clock, furnish

from htbot.domain.errors import CallerMistake
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.marketdata.snapshot import AccountState
from htbot.persistence.engine import Database
from htbot.persistence.repositories import (
    CommandRepository,
    HaltRepository,
    HaltRequest,
    TradeRepository,
)
from htbot.persistence.states import CommandState, HaltKind
from htbot.services.desk_line import DeskLine


def rows(house: House, query: str) -> list[Any]:
    with house.database.transaction() as session:
        return list(session.execute(text(query)).all())


# --- halt and resume --------------------------------------------------------------------------------------------------


def test_halt_stands_in_file_row_audit_and_status_until_resumed(api: TestClient, house: House) -> None:
    told = api.post("/halt", json={"reason": "news"}).json()
    assert told == {"halted": True, "by": ["rest", "file"], "warning": None, "accounts": None}
    assert house.stop_file.read_text().startswith("htbot halt 2022-08-26T16:00:01+00:00 by rest:first: news")
    halts = api.get("/status").json()["halt"]
    assert {halt["source"]: halt["reason"] for halt in halts}["rest"] == "news"
    assert api.post("/resume").json() == {"halted": False, "by": [], "warning": None, "accounts": None}
    assert api.get("/status").json()["halt"] is None
    assert not house.stop_file.exists()
    acts = [row.action for row in rows(house, "SELECT action FROM audit_log ORDER BY id")]
    assert acts == ["halt.set", "halt", "halt.cleared", "resume"]


def test_one_account_is_halted_and_resumed_by_itself(api: TestClient, house: House) -> None:
    """The file and Redis name no account, so that a halt of one is a row and nothing else."""
    other = "DU1000002"
    house.live.said = clock(others=(other,))
    told = api.post("/halt", json={"reason": "its strategy", "account": other}).json()
    assert told == {"halted": True, "by": ["rest"], "warning": None, "accounts": [other]}
    assert not house.stop_file.exists()
    assert [(halt["account"], halt["reason"]) for halt in api.get("/status").json()["halt"]] == [
        (other, "its strategy")
    ]
    assert api.post("/resume", json={"account": record.ACCOUNT}).json()["halted"] is False, "that one was not halted"
    api.post("/halt", json={"reason": "news"})
    left = api.post("/resume", json={"account": other}).json()
    assert (left["halted"], left["by"], left["accounts"]) == (True, ["rest", "file"], None)
    assert [halt["account"] for halt in api.get("/status").json()["halt"] if halt["source"] == "rest"] == [None]
    assert api.post("/halt", json={"reason": "no", "account": "DU9"}).status_code == 404
    api.post("/halt", json={"reason": "again", "account": other})
    assert api.post("/resume").json()["halted"] is False, "without an account all are lifted"


def test_stop_file_made_by_hand_survives_resume_and_is_named(api: TestClient, house: House) -> None:
    house.stop_file.write_text("")
    api.post("/halt", json={"reason": "news"})
    told = api.post("/resume").json()
    assert told["halted"] is True
    assert told["by"] == ["file"]
    assert str(house.stop_file) in told["warning"]
    assert house.stop_file.exists()


def test_breaker_survives_resume(api: TestClient, house: House) -> None:
    with house.database.transaction() as session:
        HaltRepository(session).set(HaltRequest("daily_loss", "lost 700", "gate", record.NOON, HaltKind.BREAKER))
    assert api.post("/resume").json()["by"] == ["daily_loss"]


def test_repeated_halt_after_resume_does_not_halt_again(api: TestClient, house: House) -> None:
    first = api.post("/halt", json={"reason": "news"}, headers={"Idempotency-Key": "k1"}).json()
    api.post("/resume")
    assert api.post("/halt", json={"reason": "news"}, headers={"Idempotency-Key": "k1"}).json() == first
    assert not house.stop_file.exists()
    assert api.get("/status").json()["halt"] is None


def test_halt_works_by_file_while_postgres_is_dead(tmp_path: Path) -> None:
    dead = furnish(Database("postgresql://htbot@127.0.0.1:1/none"), tmp_path, FakeLive(away=True))
    with TestClient(dead.app(), base_url="http://127.0.0.1", headers={"X-API-Key": FIRST}) as api:
        told = api.post("/halt", json={"reason": "news"})
        assert (told.status_code, told.json()["by"]) == (200, ["file"])
        assert "PostgreSQL" in told.json()["warning"]
        for path in ("resume", "close/all"):
            assert api.post(f"/{path}").status_code == 503
        status = api.get("/status")
        assert (status.status_code, status.headers["retry-after"]) == (503, "5")
        assert api.get("/ready").json()["checks"]["database"] == "away"
        assert "htbot_database_up 0.0" in api.get("/metrics").text
    assert dead.stop_file.exists()


# --- close ------------------------------------------------------------------------------------------------------------


def test_close_all_twice_is_one_command(api: TestClient, house: House) -> None:
    first = api.post("/close/all")
    assert first.status_code == 202
    assert first.json()["state"] == "PENDING"
    assert api.post("/close/all").json() == first.json()
    found = api.get(f"/commands/{first.json()['command_id']}").json()
    assert (found["kind"], found["params"], found["requested_by"]) == ("close_all", {"scope": "all"}, "rest:first")
    assert len(rows(house, "SELECT 1 FROM commands")) == 1


class Refusing(DeskLine):
    """A desk that answers, and says no."""

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        raise CallerMistake(f"idempotency key {request['key']!r} belongs to another command")


def test_what_the_desk_refuses_while_postgres_is_dead_is_a_conflict_as_by_row(tmp_path: Path) -> None:
    dead = furnish(Database("postgresql://htbot@127.0.0.1:1/none"), tmp_path, FakeLive(away=True))
    dead.commands._parts = replace(dead.commands._parts, line=Refusing(tmp_path))
    with TestClient(dead.app(), base_url="http://127.0.0.1", headers={"X-API-Key": FIRST}) as api:
        told = api.post("/close/all", headers={"Idempotency-Key": "k1"})
    assert (told.status_code, told.json()["detail"]) == (409, "idempotency key 'k1' belongs to another command")


def test_a_finished_close_is_not_joined(api: TestClient, house: House) -> None:
    first = api.post("/close/all").json()
    with house.database.transaction() as session:
        commands = CommandRepository(session)
        (open_one,) = commands.open()
        commands.advance(open_one.id, CommandState.PENDING, CommandState.DONE, record.NOON, {"flat": True})
    assert api.post("/close/all").json()["command_id"] != first["command_id"]
    assert api.get(f"/commands/{first['command_id']}").json()["result"] == {"flat": True}


def test_one_account_joins_a_close_of_everything(api: TestClient) -> None:
    everything = api.post("/close/all").json()
    assert api.post(f"/close/{record.ACCOUNT}").json() == everything


def test_close_of_an_unknown_account_is_404(api: TestClient, house: House) -> None:
    assert api.post("/close/DU9").status_code == 404
    assert rows(house, "SELECT 1 FROM commands") == []


@pytest.mark.fault(53)
def test_same_key_in_parallel_is_one_effect(api: TestClient, house: House) -> None:
    def close(_number: int) -> str:
        answer = api.post("/close/all", headers={"Idempotency-Key": "flat-1"})
        return str(answer.json())

    with ThreadPoolExecutor(100) as pool:
        answers = set(pool.map(close, range(100)))
    assert len(answers) == 1
    assert len(rows(house, "SELECT 1 FROM commands")) == 1
    assert len(rows(house, "SELECT 1 FROM audit_log")) == 1


def test_without_a_key_in_parallel_is_one_effect(api: TestClient, house: House) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: api.post("/close/all"), range(16)))
    assert len(rows(house, "SELECT 1 FROM commands")) == 1


def test_key_of_another_command_is_409(api: TestClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    api.post("/close/all", headers=headers)
    answer = api.post("/halt", json={"reason": "x"}, headers=headers)
    assert answer.status_code == 409
    assert "k1" in answer.json()["detail"]


@pytest.mark.parametrize(
    "said", [None, clock(connection="lost"), clock(written_at=clock().written_at.replace(minute=58, hour=11))]
)
def test_desk_that_cannot_act_is_409_and_nothing_is_written(api: TestClient, house: House, said: Any) -> None:
    house.live.said = said
    answer = api.post("/close/all")
    assert answer.status_code == 409
    assert rows(house, "SELECT 1 FROM commands") == []


def test_redis_away_does_not_keep_a_close_from_the_desk(api: TestClient, house: House) -> None:
    house.live.away = True
    assert api.post("/close/all").status_code == 202


def test_cancel_names_an_order(api: TestClient) -> None:
    answer = api.post("/orders/htbot-x/cancel")
    assert answer.status_code == 404
    assert "htbot-x" in answer.json()["detail"]


# --- a spread by hand -------------------------------------------------------------------------------------------------


@pytest.mark.fault(53)
def test_a_spread_by_hand_with_one_key_in_parallel_is_one_intent(api: TestClient, market: House) -> None:
    def propose(_number: int) -> str:
        return api.post("/trade/signal", json=SPREAD, headers={"Idempotency-Key": "once"}).text

    with ThreadPoolExecutor(100) as pool:
        answers = set(pool.map(propose, range(100)))
    assert len(answers) == 1
    assert len(rows(market, "SELECT 1 FROM intents")) == 1
    assert len(rows(market, "SELECT 1 FROM signals")) == 1


def test_spread_by_hand_becomes_one_pending_intent(api: TestClient, market: House) -> None:
    answer = api.post("/trade/signal", json=SPREAD, headers={"Idempotency-Key": "s1"})
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told["accepted"] is True
    assert told["ref"] == "htbot-vertical_spread-DU1000001-20220826-E1"
    assert all(outcome["passed"] for outcome in told["outcomes"])
    assert api.post("/trade/signal", json=SPREAD, headers={"Idempotency-Key": "s1"}).json() == told
    (intent,) = rows(market, "SELECT state, purpose, decision_id::text, quantity FROM intents")
    assert tuple(intent) == ("PENDING", "entry", told["decision_id"], 1)
    assert len(rows(market, "SELECT con_id FROM ticks WHERE symbol = 'SPX'")) == 3, "both legs and their underlying"
    (signal,) = api.get("/signals").json()
    assert (signal["strategy"], signal["accepted"], signal["direction"]) == ("vertical_spread", True, 1)


def test_second_spread_is_refused_by_the_same_gate_with_rule_limit_and_value(api: TestClient, market: House) -> None:
    api.post("/trade/signal", json=SPREAD)
    answer = api.post("/trade/signal", json=SPREAD)
    assert answer.status_code == 422
    told = answer.json()
    assert (told["rule"], told["limit"], told["value"]) == ("open_trade", "0", "1")
    assert [signal["accepted"] for signal in api.get("/signals").json()] == [True, False]
    assert len(rows(market, "SELECT 1 FROM intents")) == 1


def test_refusal_is_repeated_for_its_key(api: TestClient, market: House) -> None:
    with market.database.transaction() as session:
        HaltRepository(session).set(HaltRequest("test", "because", "test", record.NOON))
    headers = {"Idempotency-Key": "s2"}
    first = api.post("/trade/signal", json=SPREAD, headers=headers)
    assert (first.status_code, first.json()["rule"]) == (422, "halt")
    api.post("/resume")
    assert api.post("/trade/signal", json=SPREAD, headers=headers).json() == first.json()
    assert api.post("/trade/signal", json=SPREAD, headers={"Idempotency-Key": "s3"}).status_code == 202


def test_stop_file_refuses_before_the_desk_has_recorded_it(api: TestClient, market: House) -> None:
    market.stop_file.touch()
    answer = api.post("/trade/signal", json=SPREAD)
    assert (answer.status_code, answer.json()["rule"]) == (422, "halt")
    assert str(market.stop_file) in answer.json()["detail"]
    market.stop_file.unlink()
    assert api.post("/trade/signal", json=SPREAD).status_code == 202


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"symbol": "TSLA"}, "symbol"),
        ({"strike_long": "4145"}, "spread_shape"),
        ({"right": "C"}, "spread_shape"),
        ({"strike_short": "4155"}, "spread_shape"),
        ({"strike_long": "3000"}, "chain"),
        ({"expiry": "2022-08-29"}, "chain"),
        ({"qty_per_leg": 11}, "order_quantity"),
        ({"strike_long": "4140"}, "target_reachable"),
    ],
)
def test_what_cannot_be_traded_is_refused_by_name(
    api: TestClient, market: House, change: dict[str, Any], rule: str
) -> None:
    answer = api.post("/trade/signal", json={**SPREAD, **change})
    assert (answer.status_code, answer.json().get("rule")) == (422, rule), answer.text
    assert rows(market, "SELECT 1 FROM intents") == []


@pytest.mark.parametrize(
    "change",
    [
        {"qty_per_leg": 0},
        {"qty_per_leg": 1.5},
        {"qty_per_leg": "1"},
        {"strike_long": "NaN"},
        {"strike_long": -5},
        {"strike_long": 1e308},
        {"right": "X"},
        {"expiry": "tomorrow"},
        {"strategy": "other"},
        {"unknown": 1},
        {"symbol": "A" * 100},
    ],
)
def test_model_is_strict(api: TestClient, change: dict[str, Any]) -> None:
    answer = api.post("/trade/signal", json={**SPREAD, **change})
    assert answer.status_code == 422
    assert next(iter(change)) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [(ENOUGH, 202), (WhatIf(unknown="the desk is lost"), 422), (WhatIf(rejected="broker error 201: margin"), 422)],
)
def test_the_broker_is_asked_before_a_spread_by_hand(
    api: TestClient, market: House, answer: WhatIf, status: int
) -> None:
    market.broker.answer = answer
    told = api.post("/trade/signal", json=SPREAD)
    assert told.status_code == status
    assert (told.json().get("rule") == "what_if") is (status == 422)
    assert len(rows(market, "SELECT 1 FROM intents")) == int(status == 202)
    [question] = market.broker.asked
    assert (question.account, question.quantity, len(question.legs)) == (record.ACCOUNT, 1, 2)


def test_an_answer_about_another_order_does_not_count(api: TestClient, market: House) -> None:
    def moving(question: MarginQuestion) -> WhatIf:
        seen = chain()
        quotes = {
            con_id: replace(quote, bid=round(quote.bid + 0.5, 2), ask=round(quote.ask + 0.5, 2))
            for con_id, quote in seen.quotes.items()
            if quote.bid is not None and quote.ask is not None and quote.bid > 3
        }
        market.live.seen = replace(seen, quotes={**seen.quotes, **quotes})
        return enough_margin(question)

    market.broker.ask = moving
    told = api.post("/trade/signal", json=SPREAD).json()
    assert (told["rule"], "the market moved" in told["detail"]) == ("what_if", True), told
    assert rows(market, "SELECT 1 FROM intents") == []


def test_stale_quotes_and_missing_desk_price_nothing(api: TestClient, market: House) -> None:
    market.live.said = clock(market_time=record.at(1))
    assert api.post("/trade/signal", json=SPREAD).json()["rule"] == "snapshot_age"
    market.live.said = None
    assert api.post("/trade/signal", json=SPREAD).status_code == 409


def test_a_spread_by_hand_for_another_account_that_is_traded(api: TestClient, market: House) -> None:
    assert market.live.seen is not None
    seen = market.live.seen
    money = AccountState(seen.net_liquidation, seen.buying_power, seen.figures)
    market.live.seen = replace(seen, others={"DU1000002": money})
    answer = api.post("/trade/signal", json={**SPREAD, "follower_id": "DU1000002"})
    assert answer.status_code == 202, answer.text
    with market.database.transaction() as session:
        [trade] = TradeRepository(session).live()
    assert (trade.account, trade.id) == ("DU1000002", answer.json()["trade_id"])


def test_account_of_somebody_else_is_404(api: TestClient, market: House) -> None:
    assert api.post("/trade/signal", json={**SPREAD, "follower_id": "DU9"}).status_code == 404
    market.live.seen = replace(chain(), connected=False)
    assert api.post("/trade/signal", json={**SPREAD, "follower_id": record.ACCOUNT}).json()["rule"] == "connection"


def test_token_is_not_in_the_audit(api: TestClient, house: House) -> None:
    api.post("/close/all")
    assert FIRST not in str(rows(house, "SELECT * FROM audit_log"))
