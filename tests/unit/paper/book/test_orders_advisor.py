"""Orders for a group of accounts, and options that their holder exercises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ib_async import Contract, LimitOrder, MarketOrder, Stock
from tests.support.paper_desk import Messages, PaperDesk, errors, of_kind, statuses
from tests.support.paper_world import SPY, HandMarket, option_id
from tests.support.tws_client import RawClient

from htbot.domain.instruments import Right
from htbot.matching.view import FillRules
from htbot.paper.book.book import BookRules

STOCK = Stock("SPY", "SMART", "USD")
CALL = option_id(465, Right.CALL, symbol="SPY")
GROUPS = (
    "<ListOfGroups><Group><name>two</name><defaultMethod>Equal</defaultMethod>"
    "<ListOfAccts varName='list'><String>DU1</String><String>DU2</String></ListOfAccts></Group></ListOfGroups>"
)


@pytest.fixture
def adviser(make_desk: Callable[..., PaperDesk]) -> PaperDesk:
    desk = make_desk(accounts=("DF9", "DU1", "DU2"), book=BookRules(FillRules()))
    assert errors(desk.client(5, stepped=False).ask(19, 1, 1, GROUPS, 1)) == []
    return desk


def fills(messages: Messages) -> list[tuple[str, str, str]]:
    """Account, units and cumulative units of each execution."""
    return [(fields[16], fields[19], fields[24]) for fields in of_kind(messages, 11)]


def test_an_order_for_a_group_is_shared_out_fill_by_fill(adviser: PaperDesk) -> None:
    client = adviser.client()
    messages = client.place(1, STOCK, LimitOrder("BUY", 17, 470.01, faGroup="two", faMethod="Equal"))
    assert statuses(messages) == ["PreSubmitted", "Submitted"]
    first = client.ask(49, 1)  # twelve stand at the ask
    assert fills(first) == [("DU1", "6", "6"), ("DU2", "6", "6")]
    adviser.kill_and_open()
    client = adviser.client()
    second = client.ask(49, 1) + client.ask(49, 1)
    assert statuses(second) == ["Filled"]
    ledger = adviser.gateway.ledger
    assert [ledger.positions[account, SPY].quantity for account in ("DU1", "DU2")] == [9, 8]
    assert sum(float(fields[3]) for fields in of_kind([*first, *second], 59)) == 2.0


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (LimitOrder("BUY", 1, 400), 436),
        (LimitOrder("BUY", 1, 400, account="DF9"), 436),
        (LimitOrder("BUY", 2, 400, faGroup="none"), 321),
        (LimitOrder("BUY", 2, 400, faGroup="two", faMethod="Guess"), 321),
    ],
)
def test_an_adviser_must_say_who_trades(adviser: PaperDesk, order: LimitOrder, code: int) -> None:
    assert errors(adviser.client().place(1, STOCK, order)) == [(1, code)]


def test_a_group_order_may_grow(adviser: PaperDesk) -> None:
    client = adviser.client()
    client.place(1, STOCK, LimitOrder("BUY", 10, 400, faGroup="two", faMethod="Equal"))
    client.place(1, STOCK, LimitOrder("BUY", 20, 400, faGroup="two", faMethod="Equal"))
    [order] = adviser.gateway.book.working
    assert [int(portion.share) for portion in order.portions] == [10, 10]


def exercise(client: RawClient, quantity: int, action: int = 1, override: int = 0) -> Messages:
    return client.ask(
        21, 2, 7, CALL, "SPY", "OPT", "", 0, "", "", "SMART", "USD", "", "", action, quantity, "", override
    )


def test_a_long_option_is_exercised(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    client.place(1, Contract(conId=CALL, exchange="SMART"), MarketOrder("BUY", 2))
    client.ask(49, 1)
    assert errors(exercise(client, 1)) == []
    ledger = desk.gateway.ledger
    account = desk.gateway.accounts[0]
    assert (ledger.positions[account, SPY].quantity, ledger.positions[account, CALL].quantity) == (100, 1)
    assert errors(exercise(client, 5)) == [(7, 322)]


def test_what_is_not_held_cannot_be_exercised(desk: PaperDesk) -> None:
    assert errors(exercise(desk.client(), 1)) == [(7, 322)]
