"""Brackets and OCA groups: what is parked, held, cancelled and reduced together."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from ib_async import LimitOrder, MarketOrder, Order, Stock, StopOrder
from tests.support.paper_desk import Messages, PaperDesk, errors, of_kind
from tests.support.paper_world import SPY, HandMarket
from tests.support.tws_client import RawClient

from htbot.matching.view import FillRules
from htbot.paper.book.book import BookRules

STOCK = Stock("SPY", "SMART", "USD")
PARTIAL = BookRules(FillRules())


def told(messages: Messages) -> list[tuple[int, str, str]]:
    """Order id, status and whyHeld of each orderStatus."""
    return [(int(fields[1]), fields[2], fields[10]) for fields in of_kind(messages, 3)]


def ends(messages: Messages) -> dict[int, str]:
    """The last status of each order."""
    return {int(fields[1]): fields[2] for fields in of_kind(messages, 3)}


def bracket(client: RawClient, quantity: float = 10, limit: float = 480, stop: float = 460) -> Messages:
    """Parent 1 (buy at 470.01 or better), target 2, stop 3; everything that came."""
    found = client.place(1, STOCK, LimitOrder("BUY", quantity, 470.01, transmit=False))
    found += client.place(2, STOCK, LimitOrder("SELL", quantity, limit, parentId=1, transmit=False))
    return found + client.place(3, STOCK, StopOrder("SELL", quantity, stop, parentId=1))


def test_a_parked_order_is_silent_until_its_bracket_is_complete(desk: PaperDesk) -> None:
    client = desk.client()
    assert client.place(1, STOCK, LimitOrder("BUY", 10, 400, transmit=False)) == []
    assert of_kind(client.ask(5, 1), 5) == []
    assert client.place(2, STOCK, LimitOrder("SELL", 10, 480, parentId=1, transmit=False)) == []
    desk.kill_and_open()
    client = desk.client()
    messages = client.place(3, STOCK, StopOrder("SELL", 10, 390, parentId=1))
    assert told(messages) == [
        (1, "PreSubmitted", ""),
        (1, "Submitted", ""),
        (2, "PreSubmitted", "child"),
        (3, "PreSubmitted", "child,trigger"),
    ]
    parents = {fields[1]: fields[7] for fields in of_kind(messages, 3)}
    assert parents == {"1": "0", "2": "1", "3": "1"}


def test_a_parked_order_may_be_sent_by_itself_or_withdrawn(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 10, 400, transmit=False))
    client.place(2, STOCK, LimitOrder("BUY", 10, 400, transmit=False))
    assert ends(client.place(1, STOCK, LimitOrder("BUY", 5, 401))) == {1: "Submitted"}
    messages = client.ask(4, 1, 2, "")
    assert (ends(messages), errors(messages)) == ({2: "ApiCancelled"}, [(2, 202)])


def test_children_work_once_the_parent_has_filled_and_one_ends_the_other(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    bracket(client)
    assert told(client.ask(49, 1)) == [(1, "Filled", ""), (2, "Submitted", ""), (3, "PreSubmitted", "trigger")]
    market.quotes[SPY], market.last[SPY] = (480.5, 480.6), 480.5
    client.ask(49, 1)
    messages = client.take() or client.ask(49, 1)
    assert ends(messages) == {} or ends(messages) == {2: "Filled", 3: "Cancelled"}
    states = {order.order_id: order.status.value for order in desk.gateway.book.orders()}
    assert states == {1: "Filled", 2: "Filled", 3: "Cancelled"}
    assert desk.gateway.ledger.held(desk.gateway.accounts[0]) == []


def test_children_may_come_after_their_parent(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 10, 400))
    assert told(client.place(2, STOCK, LimitOrder("SELL", 10, 480, parentId=1))) == [(2, "PreSubmitted", "child")]
    assert errors(desk.client(2).place(1, STOCK, LimitOrder("SELL", 10, 480, parentId=1))) == [(1, 135)]


def test_cancelling_the_parent_cancels_its_children(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 10, 400, transmit=False))
    client.place(2, STOCK, LimitOrder("SELL", 10, 480, parentId=1))
    messages = client.ask(4, 1, 1, "")
    assert ends(messages) == {1: "Cancelled", 2: "Cancelled"}
    assert [fields[3:5] for fields in of_kind(messages, 3)][-2:] == [["0", "10"], ["0", "10"]]
    assert sorted(errors(messages)) == [(1, 202), (2, 202)]
    assert errors(client.place(3, STOCK, LimitOrder("SELL", 10, 480, parentId=1))) == [(3, 201)]


def test_a_refused_parent_takes_its_children_along(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 100_000, 470, transmit=False))
    messages = client.place(2, STOCK, LimitOrder("SELL", 100_000, 480, parentId=1))
    assert ends(messages)[1] == "Inactive"
    assert desk.gateway.book.working == []


def test_a_child_may_take_its_parent_along(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 10, 400, transmit=False))
    client.place(2, STOCK, LimitOrder("SELL", 10, 480, parentId=1, autoCancelParent=True))
    assert ends(client.ask(4, 1, 2, "")) == {1: "Cancelled", 2: "Cancelled"}


def test_children_work_for_the_filled_part_of_their_parent(
    make_desk: Callable[..., PaperDesk], market: HandMarket
) -> None:
    desk = make_desk(book=PARTIAL)
    client = desk.client()
    bracket(client, 40, limit=470)
    assert ends(client.ask(49, 1))[1] == "Submitted"  # twelve stand at the ask
    market.quotes[SPY] = (471.0, 471.1)
    client.ask(49, 1)
    orders = {order.order_id: order for order in desk.gateway.book.orders()}
    assert (orders[1].filled, orders[2].filled) == (12, 10)
    client.ask(49, 1)
    assert orders[2].filled == 12
    client.ask(4, 1, 1, "")
    assert orders[1].status.value == "Cancelled"
    assert desk.gateway.ledger.held(desk.gateway.accounts[0]) == []
    assert desk.gateway.book.working == []


def test_a_part_filled_parent_that_ends_leaves_protection_behind(
    make_desk: Callable[..., PaperDesk], market: HandMarket
) -> None:
    desk = make_desk(book=PARTIAL)
    client = desk.client()
    bracket(client, 40)
    client.ask(49, 1)
    messages = client.ask(4, 1, 1, "")
    assert [(fields[1], fields[4]) for fields in of_kind(messages, 3) if fields[1] != "1"] == [("2", "12"), ("3", "12")]
    assert [order.order_id for order in desk.gateway.book.working] == [2, 3]


def test_a_modified_child_stays_in_its_bracket(desk: PaperDesk) -> None:
    client = desk.client()
    bracket(client)
    client.ask(49, 1)
    messages = client.place(2, STOCK, LimitOrder("SELL", 10, 475, parentId=1))
    assert ends(messages) == {2: "Submitted"}
    assert errors(client.place(2, STOCK, LimitOrder("SELL", 10, 475, parentId=3))) == [(2, 105)]
    [target, stop] = desk.gateway.book.working
    assert target.oca_group == stop.oca_group == str(target.parent_perm_id)


def oca(side: str, quantity: float, price: float, kind: int, group: str = "one") -> Order:
    return LimitOrder(side, quantity, price, ocaGroup=group, ocaType=kind)


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_a_filled_order_ends_its_group_across_clients(desk: PaperDesk, kind: int) -> None:
    one, two = desk.client(1), desk.client(2)
    one.place(1, STOCK, oca("BUY", 10, 400, kind))
    one.place(2, STOCK, oca("BUY", 10, 400, kind, "other"))
    two.place(1, STOCK, oca("BUY", 10, 480, kind))
    two.send(49, 1)
    messages = one.ask(49, 1)
    assert (ends(messages), errors(messages)) == ({1: "Cancelled"}, [(1, 202)])
    assert [(order.client_id, order.order_id) for order in desk.gateway.book.working] == [(1, 2)]


@pytest.mark.parametrize(("kind", "left"), [(1, None), (2, "14"), (3, "14")])
def test_a_part_fill_cancels_or_reduces_the_group(
    make_desk: Callable[..., PaperDesk], kind: int, left: str | None
) -> None:
    desk = make_desk(book=PARTIAL)
    client = desk.client()
    client.place(1, STOCK, oca("BUY", 20, 400, kind))
    client.place(2, STOCK, oca("BUY", 40, 480, kind))
    messages = client.ask(49, 1)
    if left is None:
        assert ends(messages)[1] == "Cancelled"
    else:
        assert [fields[4] for fields in of_kind(messages, 3) if fields[1] == "1"] == [left]
    desk.kill_and_open()
    assert [order.quantity for order in desk.gateway.book.working][-1] == Decimal(40)


def test_accounts_do_not_share_a_group(make_desk: Callable[..., PaperDesk]) -> None:
    client = make_desk(accounts=("DU1", "DU2")).client()
    client.place(1, STOCK, LimitOrder("BUY", 10, 400, ocaGroup="g", ocaType=1, account="DU1"))
    client.place(2, STOCK, LimitOrder("BUY", 10, 480, ocaGroup="g", ocaType=1, account="DU2"))
    assert ends(client.ask(49, 1)) == {2: "Filled"}


def test_the_group_of_an_order_stays(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, oca("BUY", 10, 400, 1))
    assert errors(client.place(1, STOCK, oca("BUY", 10, 401, 1, "another"))) == [(1, 10326)]
    assert ends(client.place(1, STOCK, oca("BUY", 10, 401, 1))) == {1: "Submitted"}


def test_a_grandchild_waits_for_the_child(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 10, transmit=False))
    client.place(2, STOCK, LimitOrder("SELL", 10, 470, parentId=1, transmit=False))
    client.place(3, STOCK, LimitOrder("BUY", 10, 471, parentId=2))
    client.ask(49, 1)
    client.ask(49, 1)
    assert [order.filled for order in desk.gateway.book.orders()] == [10, 0, 0]


def test_a_client_that_cancels_a_member_cancels_the_group(desk: PaperDesk) -> None:
    client, other = desk.client(), desk.client(2)
    client.place(1, STOCK, LimitOrder("BUY", 10, 400, ocaGroup="either", ocaType=1))
    client.place(2, STOCK, LimitOrder("BUY", 10, 401, ocaGroup="either", ocaType=1))
    other.place(1, STOCK, LimitOrder("BUY", 10, 402, ocaGroup="either", ocaType=1))
    client.place(3, STOCK, LimitOrder("BUY", 10, 403, ocaGroup="another", ocaType=1))
    assert ends(client.ask(4, 1, 2, "")) == {1: "Cancelled", 2: "Cancelled"}
    assert ends(other.take()) == {1: "Cancelled"}
    assert [fields[1] for fields in of_kind(client.ask(5, 1), 5)] == ["3"]


def test_a_cancelled_child_leaves_the_other(desk: PaperDesk) -> None:
    client = desk.client()
    bracket(client)
    assert ends(client.ask(4, 1, 2, "")) == {2: "Cancelled"}
    assert [fields[1] for fields in of_kind(client.ask(5, 1), 5)][-1] == "3"
