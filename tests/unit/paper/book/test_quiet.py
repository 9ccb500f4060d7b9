"""Resting limit orders that the market cannot reach are passed over, and nothing that it reaches is."""

from __future__ import annotations

from random import Random

import pytest
from ib_async import LimitOrder, Stock
from tests.support.paper_desk import Messages, PaperDesk, of_kind, statuses
from tests.support.paper_world import SPY, HandMarket
from tests.support.tws_client import RawClient

STOCK = Stock("SPY", "SMART", "USD")


def answered(client: RawClient) -> Messages:
    """Let one instant pass."""
    return client.ask(49, 1)


@pytest.mark.parametrize("seed", range(5))
def test_an_order_fills_when_the_market_passes_its_limit_and_not_before(
    desk: PaperDesk, market: HandMarket, seed: int
) -> None:
    dice = Random(seed)
    market.quotes[SPY] = (470.0, 470.02)
    client = desk.client()
    limits = {}
    for order_id in range(1, 13):
        action = "BUY" if order_id % 2 else "SELL"
        away = dice.randrange(1, 30) / 100
        limits[order_id] = (action, round(470.0 - away if action == "BUY" else 470.02 + away, 2))
        client.place(order_id, STOCK, LimitOrder(action, 1, limits[order_id][1]))
    answered(client)
    for _ in range(60):
        bid = round(470 + dice.randrange(-35, 36) / 100, 2)
        ask = round(bid + 0.02, 2)
        market.quotes[SPY] = (bid, ask)
        filled = {int(row[1]) for row in of_kind(answered(client), 3) if row[2] == "Filled"}
        reached = {
            order_id
            for order_id, (action, limit) in limits.items()
            if (ask < limit if action == "BUY" else bid > limit)
        }
        assert filled == reached
        limits = {order_id: row for order_id, row in limits.items() if order_id not in reached}


def test_a_quiet_order_still_ends_at_its_time(desk: PaperDesk) -> None:
    client = desk.client()
    order = LimitOrder("BUY", 1, 400, tif="GTD", goodTillDate="20240102-15:00:30")
    client.place(1, STOCK, order)
    seen = [status for _ in range(10) for status in statuses(answered(client))]
    assert seen == ["Cancelled"]


def test_a_modified_order_is_looked_at_again(desk: PaperDesk, market: HandMarket) -> None:
    market.quotes[SPY] = (470.0, 470.02)
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 1, 400))
    answered(client)
    client.place(1, STOCK, LimitOrder("BUY", 1, 470.02))
    assert statuses(answered(client))[-1] == "Filled"
