"""Random clients: money is conserved, and the books that are read back are the books that were kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from random import Random

import pytest
from ib_async import Contract, LimitOrder, MarketOrder, Order, Stock
from tests.support.paper_desk import PaperDesk
from tests.support.paper_world import SPY, HandMarket, option_id
from tests.support.tws_client import spread

from htbot.domain.instruments import Right
from htbot.domain.orders import Action
from htbot.paper.gateway import Gateway

PUTS = [option_id(strike, Right.PUT) for strike in (4650, 4675, 4700, 4725)]


def random_order(random: Random) -> tuple[Contract, Order]:
    side = random.choice(["BUY", "SELL"])
    quantity = random.randrange(1, 5)
    tif = random.choice(["DAY", "GTC", "IOC"])
    if random.random() < 0.5:
        long, short = random.sample(PUTS, 2)
        contract = spread((short, "SELL"), (long, "BUY"))
        limit = random.randrange(-60, 60) * 0.05
    else:
        contract = random.choice([Stock("SPY", "SMART", "USD"), Contract(conId=random.choice(PUTS), exchange="SMART")])
        limit = random.randrange(1, 60) * 0.05 if contract.conId else 469 + random.randrange(300) / 100
    if random.random() < 0.4:
        return contract, MarketOrder(side, quantity, tif=tif)
    return contract, LimitOrder(side, quantity, round(limit, 2), tif=tif, orderRef=f"r{quantity}")


def move(random: Random, market: HandMarket) -> None:
    for con_id in PUTS:
        bid = random.randrange(0, 40) * 0.05
        market.quotes[con_id] = (round(bid, 2) or None, round(bid + 0.05 * random.randrange(1, 4), 2))
    middle = 46_800 + random.randrange(400)
    market.quotes[SPY] = (middle / 100, (middle + 2) / 100)


def storm(desk: PaperDesk, market: HandMarket, random: Random) -> None:
    clients = [desk.client(1), desk.client(2)]
    used = [0, 0]
    for _ in range(120):
        who = random.randrange(2)
        action = random.random()
        if action < 0.5:
            used[who] += 1
            clients[who].place(used[who], *random_order(random))
        elif action < 0.6 and used[who]:
            clients[who].place(random.randrange(1, used[who] + 1), *random_order(random))
        elif action < 0.75 and used[who]:
            clients[who].ask(4, 1, random.randrange(1, used[who] + 1), "")
        else:
            move(random, market)
            for client in clients:
                client.ask(49, 1)


def state(gateway: Gateway) -> tuple[object, ...]:
    orders = [
        {**asdict(order), "tradable": dict(order.tradable.wire), "echo": order.echo}
        for order in sorted([*gateway.book.working, *gateway.book.completed()], key=lambda order: order.perm_id)
    ]
    next_ids = [gateway.book.next_order_id(client_id) for client_id in (1, 2, 3)]
    ledger = gateway.ledger
    return orders, gateway.book.executions, ledger.positions, ledger.accounts, next_ids, gateway.now


@pytest.mark.parametrize("seed", range(8))
def test_books_are_conserved_and_read_back(make_desk: Callable[..., PaperDesk], market: HandMarket, seed: int) -> None:
    desk = make_desk(cash_usd=Decimal(20_000))
    storm(desk, market, Random(seed))
    gateway = desk.gateway
    account = gateway.ledger.accounts[gateway.accounts[0]]
    positions = gateway.ledger.of(account.account)
    realized = sum(position.realized for position in positions)
    cost = sum(position.cost for position in positions)
    assert account.cash_usd == account.starting + realized - cost

    legs = [row for row in gateway.book.executions if row.commission is not None]
    assert legs, "a storm without a fill proves nothing"
    for position in positions:
        own = [row for row in legs if row.contract["conId"] == position.con_id]
        traded = sum(row.quantity if row.side is Action.BUY else -row.quantity for row in own)
        assert position.quantity == traded
    flows = sum(
        (-row.quantity if row.side is Action.BUY else row.quantity) * row.price * int(row.contract["multiplier"] or 1)
        - (row.commission or 0)
        for row in legs
    )
    assert account.cash_usd == account.starting + flows

    before = state(gateway)
    desk.kill_and_open()
    assert state(desk.gateway) == before


@pytest.mark.parametrize("seed", range(3))
def test_the_legs_of_a_combination_add_up_to_its_price(
    make_desk: Callable[..., PaperDesk], market: HandMarket, seed: int
) -> None:
    desk = make_desk()
    storm(desk, market, Random(100 + seed))
    by_fill: dict[str, list[int]] = {}
    rows = desk.gateway.book.executions
    for index, row in enumerate(rows):
        by_fill.setdefault(row.exec_id[:-6], []).append(index)
    combinations = 0
    for indices in by_fill.values():
        head, *legs = (rows[index] for index in indices)
        if head.contract["secType"] != "BAG":
            continue
        combinations += 1
        paid = sum(leg.price * leg.quantity * (1 if leg.side is Action.BUY else -1) for leg in legs)
        assert paid == head.price * head.quantity * (1 if head.side is Action.BUY else -1)
        assert head.commission is None
        assert {(leg.ref, leg.at) for leg in legs} == {(head.ref, head.at)}
    assert combinations
