"""The session with the broker, proposals under every name they have, and what trading has earned."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import SPREAD, House, clock

from htbot.domain.errors import Retryable
from htbot.domain.orders import ExitReason
from htbot.domain.trades import TradeState
from htbot.persistence.records import Account, CashFlow, Command, EquityDay
from htbot.persistence.repositories import (
    AccountRepository,
    CommandRepository,
    DeskStateRepository,
    EquityRepository,
    TradeRepository,
)
from htbot.persistence.repositories.desk_state import HELD_BY
from htbot.persistence.states import CommandState

IBKR = "/api/trading/ibkr"


def commands(house: House) -> list[Command]:
    with house.database.transaction() as session:
        return CommandRepository(session).open()


def trade(house: House, number: int = 1, **changes: Any) -> str:
    made = record.trade(number, strategy=f"strategy_{number}", **changes)
    with house.database.transaction() as session:
        assert TradeRepository(session).add(made)
    return made.id


# --- the session ------------------------------------------------------------------------------------------------------


def test_status_is_the_desks_own_and_names_who_holds_it(api: TestClient, house: House) -> None:
    told = api.get(f"{IBKR}/status").json()
    assert (told["connected"], told["connection"], told["held_by"]) == (True, "connected", None)
    house.live.said = clock(connection="disconnected", reason="disconnected by rest:first", trading_enabled=False)
    with house.database.transaction() as session:
        DeskStateRepository(session).set(HELD_BY, "rest:first")
    told = api.get(f"{IBKR}/status").json()
    assert (told["connected"], told["held_by"], told["desk"]) == (False, "rest:first", "running")
    house.live.said = None
    assert api.get(f"{IBKR}/status").json()["connection"] == "desk not running"


@pytest.mark.ruling(37)
def test_a_disconnect_is_one_durable_command_and_ready_stays(api: TestClient, house: House) -> None:
    first = api.post(f"{IBKR}/disconnect")
    assert first.status_code == 202
    assert api.post(f"{IBKR}/disconnect").json() == first.json()
    (command,) = commands(house)
    assert (command.kind, command.params, command.requested_by) == ("disconnect", {"force": False}, "rest:first")
    house.live.said = clock(connection="disconnected")
    assert api.get("/ready").status_code == 200
    for path in ("test", "account", "positions"):
        answer = api.get(f"{IBKR}/{path}")
        assert (answer.status_code, "not connected" in answer.json()["detail"]) == (409, True)
    assert api.post(f"{IBKR}/connect").status_code == 202, "it can be asked for while the desk is away from the broker"


def test_the_last_word_counts(api: TestClient, house: House) -> None:
    gone = api.post(f"{IBKR}/disconnect").json()
    back = api.post(f"{IBKR}/connect").json()
    assert [str(one.id) for one in commands(house)] == [back["command_id"]]
    overtaken = api.get(f"/commands/{gone['command_id']}").json()
    assert (overtaken["state"], overtaken["result"]) == ("FAILED", {"why": f"overtaken by {back['command_id']}"})


def test_an_open_trade_keeps_the_desk_at_the_broker_unless_it_is_forced(api: TestClient, house: House) -> None:
    name = trade(house)
    refused = api.post(f"{IBKR}/disconnect", json={"force": False})
    assert (refused.status_code, name in refused.json()["detail"]) == (409, True)
    assert api.post(f"{IBKR}/disconnect", json={"force": "yes please"}).status_code == 422
    assert api.post(f"{IBKR}/disconnect", json={"force": True}).status_code == 202


def test_without_a_desk_nobody_can_connect_or_leave(api: TestClient, house: House) -> None:
    house.live.said = None
    for act in ("connect", "disconnect"):
        answer = api.post(f"{IBKR}/{act}")
        assert (answer.status_code, commands(house)) == (409, [])
    house.live.away = True
    assert api.get(f"{IBKR}/test").status_code == 503


def test_a_key_tells_the_same_twice_and_two_acts_apart(api: TestClient, house: House) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = api.post(f"{IBKR}/disconnect", headers=headers).json()
    with house.database.transaction() as session:
        (command,) = CommandRepository(session).open()
        CommandRepository(session).advance(command.id, CommandState.PENDING, CommandState.DONE, record.NOON)
    again = api.post(f"{IBKR}/disconnect", headers=headers).json()
    assert (again["command_id"], again["state"]) == (first["command_id"], "DONE")
    trade(house)
    assert api.post(f"{IBKR}/disconnect", headers=headers).json() == again, "a trade opened since"
    assert api.post(f"{IBKR}/disconnect", headers={"Idempotency-Key": "k2"}).status_code == 409
    assert api.post(f"{IBKR}/disconnect", headers={"Idempotency-Key": "k2"}).status_code == 409
    assert api.post(f"{IBKR}/connect", headers=headers).status_code == 409


def test_what_the_broker_says_is_asked_of_the_desk(api: TestClient, house: House) -> None:
    house.live.answers = {
        "ping": {"asked": "time", "round_trip_ms": 12.5, "broker_time": "2022-08-26T16:00:00+00:00"},
        "account": {"account": "DU1", "as_of": "2022-08-26T16:00:00+00:00", "amounts": {"NetLiquidation": "100.10"}},
        "positions": [
            {"account": "DU1", "quantity": -1, "con_id": 11, "symbol": "SPX", "sec_type": "OPT", "expiry": "2022-08-26",
             "strike": "4150", "right": "P", "multiplier": 100, "exchange": "SMART"}
        ],
    }  # fmt: skip
    for call in (api.get, api.post):
        assert call(f"{IBKR}/test").json()["round_trip_ms"] == 12.5
    assert api.get(f"{IBKR}/account").json()["amounts"] == {"NetLiquidation": "100.10"}
    (held,) = api.get(f"{IBKR}/positions").json()
    assert (held["quantity"], held["strike"], held["expiry"]) == (-1, "4150", "2022-08-26")


@pytest.mark.parametrize("trouble", [Retryable("the desk did not answer"), redis.TimeoutError("slow")])
def test_a_desk_that_does_not_answer_is_503(api: TestClient, house: House, trouble: Exception) -> None:
    house.live.answers["ping"] = trouble
    answer = api.get(f"{IBKR}/test")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


# --- proposals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["execute", "signal"])
def test_a_proposal_passes_the_same_gate(api: TestClient, market: House, path: str) -> None:
    assert api.post(f"/api/trading/{path}", json=SPREAD, headers={"Idempotency-Key": "s1"}).status_code == 202
    refused = api.post(f"/api/trading/{path}", json=SPREAD)
    assert (refused.status_code, refused.json()["rule"]) == (422, "open_trade")
    same = api.post("/trade/signal", json=SPREAD, headers={"Idempotency-Key": "s1"})
    assert (same.status_code, same.json()["accepted"]) == (202, True), "one key, whichever name it came under"


# --- results ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def earned(house: House) -> House:
    """Two winners and a loser on SPX, one trade open."""
    results = {1: "300", 2: "-100", 3: "200"}
    for number, gross in results.items():
        trade(
            house,
            number,
            state=TradeState.CLOSED,
            closed_at=record.at(number + 60),
            exit_reason=ExitReason.PROFIT_TARGET,
            gross_pnl_usd=Decimal(gross),
            commissions_usd=Decimal(5),
            max_gain_usd=Decimal(310),
            credit=Decimal("4.20"),
            debit=Decimal("1.20"),
        )
    trade(house, 4, state=TradeState.OPEN)
    with house.database.transaction() as session:
        AccountRepository(session).upsert(
            Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON, Decimal(100_385))
        )
    return house


def test_performance_has_the_backtests_definitions(api: TestClient, earned: House) -> None:
    told = api.get("/api/trading/performance").json()
    assert (told["trades"], told["winners"], told["losers"], told["unknown_trades"]) == (3, 2, 1, 0)
    assert Decimal(told["net_profit"]) == 300 - 100 + 200 - 15
    assert (told["win_rate"], told["profit_factor"]) == (2 / 3, 490 / 105)
    assert (Decimal(told["average_win"]), told["average_duration_s"]) == (Decimal(245), 3600)
    assert (told["sessions"], told["sharpe"], told["max_drawdown"]) == (0, None, None)


def test_a_result_that_is_unknown_makes_sums_unknown_not_zero(api: TestClient, earned: House) -> None:
    changes = {"closed_at": record.at(70), "exit_reason": ExitReason.TIME, "gross_pnl_usd": Decimal(10)}
    trade(earned, 5, state=TradeState.CLOSED, **changes)
    told = api.get("/api/trading/performance").json()
    assert (told["trades"], told["unknown_trades"]) == (4, 1)
    assert {told[name] for name in ("net_profit", "win_rate", "winners", "profit_factor")} == {None}


def test_the_equity_curve_leaves_out_what_was_paid_in(api: TestClient, earned: House) -> None:
    with earned.database.transaction() as session:
        equity = EquityRepository(session)
        for days, usd in enumerate((101_000, 100_500)):
            at = record.at() + timedelta(days=days)
            equity.save(EquityDay(record.ACCOUNT, at.date(), at, Decimal(100_000), equity_usd=Decimal(usd)))
        equity.add_flow(CashFlow(record.ACCOUNT, record.at() + timedelta(days=1), Decimal(5000), "gift", "user:1"))
    told = api.get("/api/trading/performance").json()
    assert (told["sessions"], Decimal(told["start_equity"]), Decimal(told["end_equity"])) == (2, 100_000, 100_500)
    assert told["total_return"] == pytest.approx(0.005)
    assert told["max_drawdown"] == pytest.approx(500 / 101_000)


def test_trades_are_chosen_by_symbol_and_state(api: TestClient, earned: House) -> None:
    def states(**params: Any) -> list[str]:
        return [one["state"] for one in api.get("/api/trading/trades", params=params).json()]

    assert states() == ["open", "closed", "closed", "closed"], "newest first"
    assert (states(status="live"), states(status="closed", limit=2)) == (["open"], ["closed"] * 2)
    assert (states(symbol="SPY"), states(account="DU9")) == ([], [])
    assert api.get("/api/trading/trades", params={"status": "moon"}).status_code == 422


def test_the_summary_puts_it_in_a_few_figures(api: TestClient, earned: House) -> None:
    told = api.get("/api/trading/portfolio/summary").json()
    assert (told["account"]["net_liquidation"], told["trades"]) == ("100385.00", 3)
    assert (Decimal(told["net_profit"]), Decimal(told["day"]["net"]), told["open"]["trades"]) == (385, 385, 1)
