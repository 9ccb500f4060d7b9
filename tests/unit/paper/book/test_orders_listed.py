"""What is told on request: open, all and completed orders, executions by every filter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ib_async import Contract, LimitOrder, MarketOrder, Stock
from tests.support.paper_desk import Messages, PaperDesk, errors, of_kind
from tests.support.paper_world import HandMarket, option_id

from htbot.domain.instruments import Right

STOCK = Stock("SPY", "SMART", "USD")
PUT = Contract(conId=option_id(4675, Right.PUT), exchange="SMART")


def asked(desk: PaperDesk, **filters: object) -> list[str]:
    """The sides and symbols of the executions that pass a filter."""
    names = ("clientId", "account", "time", "symbol", "secType", "exchange", "side")
    fields = [filters.get(name, 0 if name == "clientId" else "") for name in names]
    messages = desk.client(9, stepped=False).ask(7, 3, 12, *fields)
    assert messages[-1] == ["55", "1", "12"]
    assert len(of_kind(messages, 11)) == len(of_kind(messages, 59))
    assert {row[1] for row in of_kind(messages, 11)} <= {"12"}
    return [f"{row[18]} {row[4]} {row[5]}" for row in of_kind(messages, 11)]


@pytest.fixture
def traded(make_desk: Callable[..., PaperDesk]) -> PaperDesk:
    """Client 1 bought a stock and sold it, client 2 bought an option."""
    desk = make_desk(accounts=("DU1", "DU2"))
    one, two = desk.client(1), desk.client(2)
    one.place(1, STOCK, MarketOrder("BUY", 2, account="DU1"))
    two.send(49, 1)
    one.send(49, 1)
    for _ in range(12):
        two.send(49, 1)
        one.send(49, 1)
    one.place(2, STOCK, MarketOrder("SELL", 1, account="DU1"))
    two.place(1, PUT, MarketOrder("BUY", 1, account="DU2"))
    two.send(49, 1)
    one.send(49, 1)
    return desk


BOUGHT, SOLD, OPTION = "BOT SPY STK", "SLD SPY STK", "BOT SPX OPT"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [BOUGHT, SOLD, OPTION]),
        ({"clientId": 2}, [OPTION]),
        ({"account": "DU1"}, [BOUGHT, SOLD]),
        ({"symbol": "spx"}, [OPTION]),
        ({"secType": "STK"}, [BOUGHT, SOLD]),
        ({"exchange": "SMART", "side": "SELL"}, [SOLD]),
        ({"side": "BOT"}, [BOUGHT, OPTION]),
        ({"exchange": "CBOE"}, []),
        ({"time": "20240102 10:00:30"}, [SOLD, OPTION]),
        ({"time": "20240102-15:00:30"}, [SOLD, OPTION]),
        ({"time": "20240102 10:00:30 US/Eastern"}, [SOLD, OPTION]),
        ({"time": "20240102 09:00:30 US/Central"}, [SOLD, OPTION]),
        ({"time": "20231201 10:00:00"}, [BOUGHT, SOLD, OPTION]),
        ({"time": "20240103 10:00:00"}, []),
    ],
)
def test_executions_pass_every_filter(traded: PaperDesk, filters: dict[str, object], expected: list[str]) -> None:
    assert asked(traded, **filters) == expected


def test_executions_reach_back_to_midnight(traded: PaperDesk, market: HandMarket) -> None:
    traded.gateway.move_to(market.sessions.all()[1].opens)
    assert asked(traded) == []
    assert of_kind(traded.client(8, stepped=False).ask(99, 0), 101) == []


def ids(messages: Messages) -> list[tuple[str, str]]:
    """Order id and client id of each openOrder, from the status beside it."""
    return [(fields[1], fields[9]) for fields in of_kind(messages, 3)]


def test_open_orders_are_ones_own_or_all(desk: PaperDesk) -> None:
    one, two = desk.client(1), desk.client(2, stepped=False)
    one.place(1, STOCK, LimitOrder("BUY", 1, 400))
    one.place(2, STOCK, LimitOrder("BUY", 1, 400, transmit=False))
    two.place(1, STOCK, LimitOrder("BUY", 1, 401))
    assert ids(one.ask(5, 1)) == [("1", "1")]
    assert ids(one.ask(16, 1)) == [("1", "1"), ("1", "2")]
    assert one.ask(16, 1)[-1] == ["53", "1"]


def test_only_client_0_binds_orders_made_by_hand(desk: PaperDesk) -> None:
    assert errors(desk.client(1).ask(15, 1, 1)) == [(-1, 327)]
    assert desk.client(0, stepped=False).ask(15, 1, 1) == []


def test_completed_orders_tell_how_they_ended(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 3))
    client.ask(49, 1)
    client.place(2, STOCK, LimitOrder("BUY", 1, 400))
    client.ask(4, 1, 2, "")
    client.place(3, STOCK, LimitOrder("BUY", 100_000, 400))
    messages = desk.client(2, stepped=False).ask(99, 1)
    ends = [fields[-6] for fields in of_kind(messages, 101)]
    assert ends[:2] == ["Filled Size: 3", "Cancelled by Trader"]
    assert ends[2].startswith("Inactive: Order rejected - reason:")
    assert messages[-1] == ["102"]
