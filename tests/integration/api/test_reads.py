from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.opened import opened_elsewhere, opened_trade
from tests.support.people import HOST_NOW, House, chain, clock

from htbot.domain.decisions import RiskRefusal, RuleOutcome
from htbot.domain.orders import ExitReason
from htbot.domain.quotes import Quote
from htbot.domain.trades import Trade, TradeState
from htbot.marketdata.clock_state import Mode
from htbot.persistence.repositories import (
    FillRepository,
    IntentRepository,
    PositionRepository,
    RiskDecisionRepository,
    SignalRepository,
    TaskRunRepository,
    TradeRepository,
)


@pytest.fixture
def opened(house: House) -> Trade:
    """A signal was approved, its spread sold for 4.30 and marked once."""
    return opened_trade(house.database)


@pytest.fixture
def closed(house: House, opened: Trade) -> Trade:
    """The same, bought back for 0.40 half an hour later."""
    leaving = record.exit_of(opened)
    after = replace(
        opened,
        state=TradeState.CLOSED,
        debit=Decimal("0.40"),
        closed_at=record.at(31, 2),
        exit_reason=ExitReason.PROFIT_TARGET,
        gross_pnl_usd=Decimal(390),
        commissions_usd=Decimal("4.20"),
        max_gain_usd=Decimal(395),
    )
    with house.database.transaction() as session:
        IntentRepository(session).add(leaving)
        FillRepository(session).add(record.fill(leaving, record.SHORT, "e3.01", "0.50"), record.at(31))
        FillRepository(session).add(record.fill(leaving, record.LONG, "e4.01", "0.10"), record.at(31))
        TradeRepository(session).save(after, TradeState.OPEN)
        for leg in opened.legs:
            PositionRepository(session).drop(record.ACCOUNT, leg.con_id)
    return after


def test_empty_record_reads_as_empty(api: TestClient) -> None:
    for path in ("positions", "orders", "fills", "trades", "signals", "alerts"):
        assert api.get(f"/{path}").json() == [], path
    assert api.get("/account").status_code == 404
    status = api.get("/status").json()
    assert (status["open_trade"], status["strategies"], status["tasks"], status["halt"]) == (None, [], [], None)
    assert api.get("/pnl").json()["day"] == {
        "day": "2022-08-26",
        "trades": 0,
        "gross": "0.00",
        "commissions": "0.00",
        "net": "0.00",
    }


def test_status_tells_everything_that_a_person_asks_first(api: TestClient, house: House, opened: Trade) -> None:
    with house.database.transaction() as session:
        TaskRunRepository(session).begin("read_market", "all", record.NOON)
    status = api.get("/status").json()
    assert (status["mode"], status["speed"], status["connection"]) == ("paper", 1.0, "connected")
    assert status["market_time"] == "2022-08-26T16:00:01Z"
    assert status["desk"] == {"state": "running", "heartbeat_age_s": 1.0}
    assert (status["world"], status["account"]) == (record.WORLD, record.ACCOUNT)
    (strategy,) = status["strategies"]
    assert (strategy["name"], strategy["trend"], strategy["high"], strategy["low"]) == (
        "spx_breakout",
        1,
        4160,
        4100.25,
    )
    assert strategy["why_not"] == "inside the day's range"
    assert strategy["last_signal"]["level"] == 4160
    trade = status["open_trade"]
    assert (trade["id"], trade["credit"], trade["mark"], trade["natural"]) == (opened.id, "4.30", "3.90", "4.10")
    assert (trade["pnl_mid"], trade["pnl_natural"]) == ("40.00", "20.00")
    assert (trade["target"], trade["stop"], trade["maximum_loss"]) == (
        "215.00",
        "200.00",
        "3570.00",
    )  # the target is at most half the credit
    legs = [(leg["side"], leg["strike"], leg["fill"]) for leg in trade["legs"]]
    assert legs == [("SELL", "4150", "5.80"), ("BUY", "4110", "1.50")]
    (task,) = status["tasks"]
    assert (task["name"], task["last_run"], task["state"]) == ("read_market", "2022-08-26T16:00:00Z", "RUNNING")


def test_silent_desk_is_told_and_a_stepped_one_is_not_silent(api: TestClient, house: House) -> None:
    late = HOST_NOW.replace(hour=11)
    house.live.said = clock(written_at=late)
    assert api.get("/status").json()["connection"] == "desk not running"
    assert api.get("/ready").status_code == 503
    house.live.said = clock(written_at=late, mode=Mode.STEPPED, speed=None)
    status = api.get("/status").json()
    assert (status["connection"], status["speed"], status["mode"]) == ("connected", "max", "stepped")
    assert status["market_time"] == "2022-08-26T16:00:00Z"


def test_lost_broker_session_does_not_change_ready(api: TestClient, house: House) -> None:
    house.live.said = clock(connection="lost", trading_enabled=False, reason="1100")
    assert api.get("/ready").status_code == 200
    status = api.get("/status").json()
    assert (status["connection"], status["trading_enabled"], status["reason"]) == ("lost", False, "1100")


def test_redis_away_is_told_and_the_record_is_still_read(api: TestClient, house: House, opened: Trade) -> None:
    house.live.away = True
    status = api.get("/status").json()
    assert status["connection"] == "unknown: redis does not answer"
    assert status["open_trade"]["id"] == opened.id
    assert len(api.get("/positions").json()) == 2
    assert api.get("/ready").json()["checks"]["redis"] == "away"


def test_positions_are_marked_at_the_mid_of_the_desks_quotes(api: TestClient, house: House, opened: Trade) -> None:
    house.live.seen = replace(
        chain(), quotes={11: Quote(11, record.NOON, 5.0, 5.2), 12: Quote(12, record.NOON, None, 1.4)}
    )
    short, long = api.get("/positions").json()
    assert (short["quantity"], short["avg_price"], short["mark"], short["unrealized_pnl"]) == (
        -1,
        "5.80",
        "5.10",
        "70.00",
    )
    assert (long["mark"], long["unrealized_pnl"]) == (None, None)
    assert short["trade_id"] == long["trade_id"] == opened.id
    assert (short["expiry"], short["right"]) == ("2022-08-26", "P")


def test_orders_and_fills_in_the_shapes_of_the_interface(api: TestClient, opened: Trade) -> None:
    (order,) = api.get("/orders").json()
    assert (order["purpose"], order["action"], order["status"]) == ("entry", "BUY", "FILLED")
    assert (order["limit"], order["avg_price"], order["filled"]) == ("-4.25", "-4.30", 1)
    assert [(leg["side"], leg["strike"]) for leg in order["legs"]] == [("SELL", "4150"), ("BUY", "4110")]
    first, second = api.get("/fills").json()
    assert (first["exec_id"], first["side"], first["price"], first["commission"]) == ("e1.01", "SELL", "5.80", "1.05")
    assert second["commission"] is None


def test_closed_trade_has_fills_result_and_reason(api: TestClient, closed: Trade) -> None:
    (trade,) = api.get("/trades").json()
    assert (trade["id"], trade["exit_reason"], trade["direction"]) == (closed.id, "profit_target", 1)
    assert (trade["credit"], trade["debit"]) == ("4.30", "0.40")
    assert (trade["gross_pnl"], trade["commissions"], trade["net_pnl"]) == ("390.00", "4.20", "385.80")
    assert (trade["max_gain"], trade["duration_s"]) == ("395.00", 1802)
    assert [(leg["fill"], leg["exit_fill"]) for leg in trade["legs"]] == [("5.80", "0.50"), ("1.50", "0.10")]
    assert api.get("/positions").json() == []
    day = api.get("/pnl").json()["day"]
    assert (day["gross"], day["commissions"], day["net"], day["trades"]) == ("390.00", "4.20", "385.80", 1)


def test_open_pnl_is_that_of_the_last_mark(api: TestClient, opened: Trade) -> None:
    found = api.get("/pnl").json()
    assert (found["open"]["mid"], found["open"]["natural"], found["open"]["trades"]) == ("40.00", "20.00", 1)


def test_unknown_commissions_make_the_day_unknown(api: TestClient, house: House, closed: Trade) -> None:
    with house.database.transaction() as session:
        session.execute(text("UPDATE trades SET commissions_usd = NULL"))
    day = api.get("/pnl").json()["day"]
    assert (day["gross"], day["commissions"], day["net"]) == ("390.00", None, None)


def test_superseded_executions_do_not_count(api: TestClient, house: House, opened: Trade) -> None:
    entry = record.entry(opened)
    with house.database.transaction() as session:
        FillRepository(session).add(record.fill(entry, record.SHORT, "e1.02", "5.90"), record.at(4))
    assert api.get("/status").json()["open_trade"]["legs"][0]["fill"] == "5.90"


def test_refused_signal_says_why(api: TestClient, house: House) -> None:
    with house.database.transaction() as session:
        signal_id = SignalRepository(session).add(record.signal(), "minimum_credit: credit 1.10 is below 2.00")
        RiskDecisionRepository(session).add(record.refusal(), signal_id)
    (signal,) = api.get("/signals").json()
    assert (signal["accepted"], signal["refused_by"]) == (False, "minimum_credit")
    assert signal["reason"] == "minimum_credit: credit 1.10 is below 2.00"
    assert signal["ts"] == "2022-08-26T16:00:00Z"
    assert signal["levels"] == {"high": 4160.0, "low": 4100.25}


def test_why_has_ten_steps_with_stored_values(api: TestClient, closed: Trade) -> None:
    found = api.get(f"/trades/{closed.id}/why").json()
    names = [step["step"] for step in found["steps"]]
    assert names == ["tick", "bar", "signal", "decision", "intent", "order", "fill", "position", "pnl", "alert"]
    by_name = {step["step"]: step for step in found["steps"]}
    assert by_name["signal"]["values"]["level"] == 4160.0
    assert by_name["decision"]["values"]["open_trade"]["passed"] is True
    assert by_name["pnl"]["values"]["net_pnl"] == "385.80"
    assert len(by_name["fill"]["values"]) == 4
    assert by_name["alert"]["summary"] == "HTBot Alert: Trade Entry"
    assert by_name["bar"]["values"]["close"] == 4150.0
    assert api.get("/trades/nothing/why").status_code == 404


def test_selection_by_account_day_and_limit(api: TestClient, closed: Trade) -> None:
    assert api.get("/trades", params={"account": "DU9"}).json() == []
    assert len(api.get("/trades", params={"account": "all"}).json()) == 1
    assert len(api.get("/fills", params={"day": "2022-08-26"}).json()) == 4
    assert api.get("/fills", params={"day": "2022-08-25"}).json() == []
    assert [fill["exec_id"] for fill in api.get("/fills", params={"limit": 2}).json()] == ["e3.01", "e4.01"]
    for query in ({"limit": 0}, {"limit": 10_000}, {"day": "yesterday"}, {"account": "a b"}):
        assert api.get("/trades", params=query).status_code == 422, query


def test_account_and_alerts(api: TestClient, opened: Trade) -> None:
    account = api.get("/account").json()
    assert (account["net_liquidation"], account["buying_power"]) == ("100000.00", None)
    (alert,) = api.get("/alerts").json()
    assert (alert["subject"], alert["state"], alert["ts"]) == (
        "HTBot Alert: Trade Entry",
        "PENDING",
        "2022-08-26T16:00:00Z",
    )


def test_another_account_is_read_by_its_name(api: TestClient, opened: Trade, house: House) -> None:
    other = opened_elsewhere(house.database, "DU1000002")
    assert api.get("/account").json()["account"] == record.ACCOUNT
    assert api.get("/account", params={"account": "DU1000002"}).json()["net_liquidation"] == "50000.00"
    assert [api.get("/account", params={"account": name}).status_code for name in ("DU9", "all")] == [404, 400]
    held = api.get("/positions", params={"account": "DU1000002"}).json()
    assert {position["account"] for position in held} == {"DU1000002"}
    assert {position["account"] for position in api.get("/positions").json()} == {record.ACCOUNT}
    assert len(api.get("/positions", params={"account": "all"}).json()) == 4
    assert api.get("/pnl", params={"account": "DU1000002"}).json()["open"]["trades"] == 1
    summary = api.get("/api/trading/portfolio/summary", params={"account": "DU1000002"}).json()
    assert (summary["account"]["account"], summary["positions"], summary["trades"]) == ("DU1000002", 2, 0)
    everything = api.get("/api/trading/portfolio/summary", params={"account": "all"}).json()
    assert (everything["account"], everything["positions"], everything["open"]["trades"]) == (None, 4, 2)
    assert [one["id"] for one in api.get("/api/trading/trades", params={"account": "DU1000002"}).json()] == [other.id]


def test_metrics_page(api: TestClient, closed: Trade) -> None:
    page = api.get("/metrics").text
    for line in (
        'htbot_ib_connected{conn="desk"} 1.0',
        "htbot_database_up 1.0",
        'htbot_halt_active{scope="global"} 0.0',
        'htbot_daily_pnl_usd{account="DU1000001"} 385.8',
        'htbot_signals_generated_total{outcome="accepted",strategy="spx_breakout",symbol="SPX",type="bull"} 1.0',
        "htbot_fills_total 4.0",
    ):
        assert line in page


@pytest.mark.fault(32)
def test_refusals_are_counted_by_their_rule(api: TestClient, house: House) -> None:
    with house.database.transaction() as session:
        for number, rule in enumerate(("quote_sanity", "quote_sanity", "what_if")):
            stored = SignalRepository(session).add(record.signal(4200.0 + number), f"{rule}: because")
            outcome = RuleOutcome(rule, passed=False, limit="l", value="v", reason="because")
            refusal = RiskRefusal(record.decision_id(number), record.NOON, (outcome,))
            RiskDecisionRepository(session).add(refusal, stored)
    page = api.get("/metrics").text
    assert 'htbot_risk_refusals_total{rule="quote_sanity"} 2.0' in page
    assert 'htbot_risk_refusals_total{rule="what_if"} 1.0' in page


def test_unknown_command_is_404(api: TestClient) -> None:
    answer: Any = api.get("/commands/00000000-0000-0000-0000-000000000000")
    assert answer.status_code == 404
    assert api.get("/commands/nothing").status_code == 422
