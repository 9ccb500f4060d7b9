"""freqtrade's names in its shapes: numbers of dollars, unknown null, and acts that are ours."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import SPREAD, House

from htbot.domain.orders import ExitReason
from htbot.domain.trades import TradeState
from htbot.persistence.records import Account, EquityDay
from htbot.persistence.repositories import AccountRepository, CommandRepository, EquityRepository, TradeRepository


@pytest.fixture
def earned(house: House) -> House:
    """SPX has won 295, SPY has lost 105; one SPX trade is opening. It began with 100,000."""
    with house.database.transaction() as session:
        for number, (symbol, gross) in enumerate((("SPX", "300"), ("SPY", "-100")), start=1):
            TradeRepository(session).add(
                record.trade(
                    number,
                    strategy=f"strategy_{number}",
                    symbol=symbol,
                    state=TradeState.CLOSED,
                    closed_at=record.at(number + 60),
                    exit_reason=ExitReason.PROFIT_TARGET,
                    gross_pnl_usd=Decimal(gross),
                    commissions_usd=Decimal(5),
                )
            )
        TradeRepository(session).add(record.trade(3))
        AccountRepository(session).upsert(Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON))
        begun = EquityDay(record.ACCOUNT, record.DAY, record.NOON, Decimal(100_000), equity_usd=Decimal(100_190))
        EquityRepository(session).save(begun)
    return house


def test_ping_and_count(api: TestClient, earned: House) -> None:
    assert api.get("/api/v1/ping").json() == {"status": "pong"}
    assert api.get("/api/v1/count").json() == {"current": 1, "max": 5, "total_stake": 0.0}


def test_profit_is_in_numbers_and_shares_of_the_start(api: TestClient, earned: House) -> None:
    told = api.get("/api/v1/profit").json()
    assert (told["profit_closed_coin"], told["profit_closed_ratio"]) == (190.0, 0.0019)
    assert told["profit_closed_percent"] == pytest.approx(0.19)
    assert (told["trade_count"], told["closed_trade_count"], told["winning_trades"]) == (3, 2, 1)
    assert (told["best_pair"], told["best_pair_profit_abs"], told["winrate"]) == ("SPX", 295.0, 0.5)
    assert told["first_trade_timestamp"] == int(record.at(1).timestamp() * 1000)
    assert told["profit_factor"] == pytest.approx(295 / 105)


def test_nothing_yet_is_unknown_and_not_zero_where_it_is_a_ratio(api: TestClient) -> None:
    told = api.get("/api/v1/profit").json()
    assert (told["trade_count"], told["profit_closed_coin"], told["winrate"]) == (0, 0.0, None)
    assert (told["best_pair"], told["profit_closed_ratio"], told["first_trade_date"]) == (None, None, None)
    assert api.get("/api/v1/performance").json() == []


def test_performance_by_pair_has_the_best_in_front(api: TestClient, earned: House) -> None:
    pairs = [(one["pair"], one["profit_abs"], one["count"]) for one in api.get("/api/v1/performance").json()]
    assert pairs == [("SPX", 295.0, 1), ("SPY", -105.0, 1)]


def test_forceexit_is_a_durable_command(api: TestClient, earned: House) -> None:
    trade_id = record.trade(3).id
    one, headers = {"tradeid": trade_id}, {"Idempotency-Key": "k1"}
    answer = api.post("/api/v1/forceexit", json=one, headers=headers)
    assert (answer.status_code, answer.json()["result"].startswith(f"trade {trade_id} is being closed")) == (200, True)
    assert api.post("/api/v1/forceexit", json=one, headers=headers).json() == answer.json()
    assert api.post("/api/v1/forceexit", json={"tradeid": record.trade(1).id}).status_code == 409, "it is over"
    assert api.post("/api/v1/forceexit", json={"tradeid": "moon"}).status_code == 404
    assert api.post("/api/v1/forceexit", json={"tradeid": "all", "amount": 1}).status_code == 422
    assert api.post("/api/v1/forceexit", json={"tradeid": "all"}).status_code == 200
    with earned.database.transaction() as session:
        kinds = {one.kind: one.params for one in CommandRepository(session).open()}
    assert kinds == {"close_trade": {"trade": trade_id}, "close_all": {"scope": "all"}}


def test_stopentry_lets_nothing_in_and_everything_out(api: TestClient, market: House) -> None:
    assert "resume" in api.post("/api/v1/stopentry").json()["status"]
    assert api.post("/trade/signal", json=SPREAD).json()["rule"] == "halt"
    assert api.post("/close/all").status_code == 202
    api.post("/api/scheduler/stop")
    assert api.post("/api/v1/stopentry").status_code == 409


def test_reload_config_names_what_needs_a_restart(api: TestClient, house: House) -> None:
    assert api.post("/api/v1/reload_config").json()["status"].startswith("no setting has changed")
    house.changed_settings = ["HTBOT_POLL_SECONDS"]
    refused = api.post("/api/v1/reload_config")
    assert (refused.status_code, "HTBOT_POLL_SECONDS" in refused.json()["detail"]) == (409, True)
