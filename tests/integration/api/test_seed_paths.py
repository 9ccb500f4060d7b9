"""Risk, execution and synchronisation under the paths that users of the seed know."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import PIN, SPREAD, House, clock

from htbot.domain.accounts import AccountFigures
from htbot.domain.margin import WhatIf
from htbot.domain.orders import OrderState
from htbot.execution.disagreement import Judgement, Verdict
from htbot.marketdata.snapshot import AccountState
from htbot.persistence.repositories import (
    FillRepository,
    HaltRepository,
    HaltRequest,
    IntentRepository,
    OrderRepository,
    ReconciliationRepository,
    RiskDecisionRepository,
    TradeRepository,
)
from htbot.services.risk_rules import OF_REGULATION

WRITTEN = ("signals", "risk_decisions", "intents", "trades", "commands", "ticks")


def written(house: House) -> dict[str, int]:
    with house.database.transaction() as session:
        return {table: session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in WRITTEN}


# --- what the gate would say ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["validate-trade", "evaluate"])
def test_the_gate_is_asked_and_nothing_is_written(api: TestClient, market: House, path: str) -> None:
    told = api.post(f"/api/risk/{path}", json=SPREAD).json()
    assert (told["accepted"], told["refused_by"]) == (True, None)
    assert Decimal(told["credit_mid"]) > Decimal(told["credit_natural"]) > 0
    assert told["outcomes"][-1]["rule"] == "what_if"
    assert len(market.broker.asked) == 1, "the broker is shown the very order"
    assert set(written(market).values()) == {0}
    done = api.post("/api/execution/signal", json=SPREAD)
    assert done.status_code == 202
    assert done.json()["maximum_loss"] == told["maximum_loss"]
    assert [one["rule"] for one in done.json()["outcomes"]] == [one["rule"] for one in told["outcomes"]]


def test_a_refusal_is_an_answer_with_rule_limit_and_value(api: TestClient, market: House) -> None:
    market.broker.answer = WhatIf(Decimal(100_000), Decimal(99_000))
    told = api.post("/api/risk/validate-trade", json=SPREAD).json()
    assert (told["accepted"], told["refused_by"]["rule"], told["refused_by"]["limit"]) == (False, "what_if", "5000.00")
    strikes = {**SPREAD, "strike_long": "4145"}
    told = api.post("/api/risk/validate-trade", json=strikes).json()
    assert (told["accepted"], told["refused_by"]["rule"], told["outcomes"]) == (False, "spread_shape", [])
    assert set(written(market).values()) == {0}


def test_without_quotes_there_is_nothing_to_judge_by(api: TestClient, house: House) -> None:
    assert api.post("/api/risk/evaluate", json=SPREAD).status_code == 409


@pytest.mark.ruling(14)
def test_a_trip_is_lifted_with_the_pin(api: TestClient, market: House) -> None:
    with market.database.transaction() as session:
        HaltRepository(session).set(HaltRequest("drawdown", "fell", "htbot", record.NOON))
    assert api.post("/api/risk/reset-circuit-breaker", json={"pin": "000000"}).status_code == 403
    assert api.post("/api/risk/reset-circuit-breaker", json={"pin": PIN}).status_code == 200


# --- what binds the account, and what it carries ----------------------------------------------------------------------


def test_rules_of_regulation_are_told_in_the_order_of_the_gate(api: TestClient, market: House) -> None:
    told = api.get("/api/risk/compliance").json()
    every = api.get("/api/v1/risk").json()
    assert [one["rule"] for one in told] == [one["rule"] for one in every if one["rule"] in OF_REGULATION]
    assert {one["rule"] for one in told} == OF_REGULATION
    assert next(one for one in told if one["rule"] == "day_trades")["source"] == "now"


def test_the_breaker_is_told_as_elsewhere(api: TestClient, market: House) -> None:
    assert api.get("/api/risk/status").json() == api.get("/risk/metrics").json()


def test_the_kind_of_account_and_its_rule_on_day_trades(api: TestClient, market: House) -> None:
    assert market.live.seen is not None
    figures = AccountFigures(
        available_funds=Decimal(50_000), settled_cash=Decimal(40_000), day_trades_remaining=Decimal(3)
    )
    market.live.seen = replace(market.live.seen, buying_power=Decimal(200_000), figures=figures)
    told = api.get("/api/risk/account-mode").json()
    assert (told["account"], told["kind"], told["kind_configured"]) == (record.ACCOUNT, "margin", False)
    assert (told["day_trade_regime"], told["regime_configured"]) == ("legacy_pdt", False)
    assert (told["day_trades_remaining"], told["settled_cash"]) == (3, "40000")
    market.live.seen = replace(market.live.seen, buying_power=None)
    assert api.get("/api/risk/account-mode").json()["kind"] is None, "unknown is no kind"


def test_the_kind_of_another_account_that_is_traded(api: TestClient, market: House) -> None:
    assert market.live.seen is not None
    cash = AccountState(Decimal(9000), Decimal(9000), AccountFigures(available_funds=Decimal(9000)))
    market.live.seen = replace(market.live.seen, others={"DU1000002": cash})
    told = api.get("/api/risk/account-mode", params={"account": "DU1000002"}).json()
    assert (told["account"], told["kind"]) == ("DU1000002", "cash")
    carried = api.get("/api/risk/portfolio-risk", params={"account": "DU1000002"}).json()
    assert (carried["account"], carried["net_liquidation"]) == ("DU1000002", "9000")
    answer = api.get("/api/risk/account-mode", params={"account": "DU9"})
    assert (answer.status_code, "the desk trades DU1000001, DU1000002" in answer.json()["detail"]) == (404, True)


def test_what_the_account_carries(api: TestClient, market: House) -> None:
    trade = record.trade(1, credit=Decimal("4.20"), opened_at=record.at(-1))
    with market.database.transaction() as session:
        TradeRepository(session).add(trade)
    assert market.live.seen is not None
    market.live.seen = replace(market.live.seen, figures=AccountFigures(gross_position_value=Decimal(25_000)))
    told = api.get("/api/risk/portfolio-risk").json()
    assert (told["open_trades"], told["leverage"], told["net_liquidation"]) == (1, "0.2500", "100000")
    (of_symbol,) = told["symbols"]
    assert (of_symbol["symbol"], of_symbol["limit"]) == ("SPX", "10000.00")
    assert Decimal(of_symbol["value"]) == Decimal(told["open_maximum_loss"]) > 0
    assert Decimal(of_symbol["share"]) == Decimal(of_symbol["value"]) / 100_000


@pytest.mark.ruling(37)
@pytest.mark.parametrize("path", ["account-mode", "portfolio-risk"])
def test_nobody_tells_the_figures(api: TestClient, house: House, path: str) -> None:
    answer = api.get(f"/api/risk/{path}")
    assert (answer.status_code, "nobody tells" in answer.json()["detail"]) == (409, True)


# --- orders -----------------------------------------------------------------------------------------------------------


def test_orders_and_how_they_have_fared(api: TestClient, house: House) -> None:
    assert api.get("/api/execution/stats").json()["fill_rate"] is None
    trade = record.trade(1)
    entry = record.entry(trade)
    order = record.order(entry)
    with house.database.transaction() as session:
        RiskDecisionRepository(session).add(record.approval(), None)
        TradeRepository(session).add(trade)
        IntentRepository(session).add(entry)
        OrderRepository(session).upsert(order, entry.created_at + timedelta(seconds=2))
    with house.database.transaction() as session:
        at = entry.created_at + timedelta(seconds=5)
        done = replace(order, state=OrderState.FILLED, filled=1, average_price=Decimal("-4.20"))
        OrderRepository(session).upsert(done, at)
        FillRepository(session).add(record.fill(entry, record.SHORT, "e1.01", executed_at=at), at)
    told = api.get("/api/execution/stats").json()
    assert (told["orders"]["FILLED"], told["fills"], told["fill_rate"]) == (1, 1, 1.0)
    assert (told["average_latency_s"], told["average_fill_s"]) == ({"entry": 2.0}, {"entry": 3.0})
    assert told["average_limits"] == {"entry": 1.0}
    (listed,) = api.get("/api/execution/history").json()["items"]
    assert listed["ref"] == entry.ref
    assert api.get(f"/api/execution/history/{entry.ref}").json() == api.get(f"/api/v1/orders/{entry.ref}").json()
    assert api.get("/api/execution/history/none").status_code == 404


# --- books and broker -------------------------------------------------------------------------------------------------


def test_books_are_compared_and_the_last_comparison_is_told(api: TestClient, house: House) -> None:
    assert api.get("/api/sync/status", params={"account": record.ACCOUNT}).status_code == 404
    assert api.post("/api/sync/positions").json() == api.post("/api/v1/reconciliation/run").json()
    assert [kind for kind, _ in house.live.asked] == ["compare", "compare"]
    with house.database.transaction() as session:
        judged = Judgement(Verdict.AGREE, record.NOON, (), {})
        ReconciliationRepository(session).add(record.ACCOUNT, judged, "asked")
    assert api.get("/api/sync/status").json() == api.get("/api/v1/reconciliation/latest").json()
    house.live.said = None
    assert api.post("/api/sync/positions").status_code == 409


# --- in one answer ----------------------------------------------------------------------------------------------------


def test_whether_anything_is_traded_now(api: TestClient, market: House) -> None:
    told = api.get("/api/trading/status").json()
    assert (told["mode"], told["account"], told["can_trade"], told["why_not"]) == ("paper", record.ACCOUNT, True, None)
    assert (told["scheduler"], told["is_market_hours"], told["open_trades"]) == ("running", True, 0)
    api.post("/api/scheduler/pause")
    told = api.get("/api/trading/status").json()
    assert (told["can_trade"], told["scheduler"]) == (False, "paused")
    api.post("/api/scheduler/resume")
    market.stop_file.write_text("by hand\n")
    told = api.get("/api/trading/status").json()
    assert (told["can_trade"], told["why_not"]) == (False, f"halted by {', '.join(told['halted_by'])}")
    market.live.said = clock(connection="lost")
    assert "not connected" in api.get("/api/trading/status").json()["why_not"]


def test_a_trade_under_its_live_name_passes_the_same_gate(api: TestClient, market: House) -> None:
    assert api.post("/api/trading/live-trade", json=SPREAD).status_code == 202
    assert api.post("/api/trading/live-trade", json=SPREAD).json()["rule"] == "open_trade"
