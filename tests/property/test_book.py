"""Random clients of the book: quantities add up, families end together, cash is conserved, nothing is lost."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ib_async import Contract, LimitOrder, MarketOrder, Order, Stock, StopOrder
from tests.support.paper_desk import PaperDesk
from tests.support.paper_world import SPY, HandMarket, option_id
from tests.support.tws_client import RawClient, spread, unframed

from htbot.domain.instruments import Right
from htbot.domain.orders import Action
from htbot.matching.view import FillRules
from htbot.paper.book.book import BookRules
from htbot.paper.book.orders import PaperOrder, Status
from htbot.paper.gateway import GatewayConfig

STOCK = Stock("SPY", "SMART", "USD")
PUTS = [option_id(strike, Right.PUT) for strike in (4650, 4675, 4700, 4725)]
STEPS = 40
ENDS = {"Filled", "Cancelled", "ApiCancelled", "Inactive"}


class Storm:
    """Two clients on one thin market, and a seed that says what they do."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.market = HandMarket()
        config = GatewayConfig(
            speed="max",
            cash_usd=Decimal(200_000),
            book=BookRules(FillRules(modelled_least=Decimal(1)), commission_delay_s=self.random.choice([0, 10])),
        )
        self.desk = PaperDesk(folder, self.market, config)
        self.clients = [self.desk.client(1), self.desk.client(2)]
        self.used = [0, 0]
        self.groups = 0

    def act(self) -> None:
        actions = (self.place, self.place, self.family, self.modify, self.cancel, self.move, self.move, self.correct)
        self.random.choice(actions)()

    def next_id(self, who: int) -> int:
        self.used[who] += 1
        return self.used[who]

    def order(self, contract: Contract) -> Order:
        random = self.random
        side, quantity = random.choice(["BUY", "SELL"]), random.randrange(1, 40)
        tif = random.choice(["DAY", "GTC", "IOC", "FOK"])
        if contract is not STOCK:
            quantity = random.randrange(1, 8)
            limit = round(random.randrange(-60, 60) * 0.05, 2) if contract.secType == "BAG" else 1.5
            return random.choice([MarketOrder(side, quantity, tif=tif), LimitOrder(side, quantity, limit, tif=tif)])
        price = 469 + random.randrange(200) / 100
        return random.choice(
            [
                MarketOrder(side, quantity, tif=tif),
                LimitOrder(side, quantity, price, tif=tif, allOrNone=random.random() < 0.2),
                StopOrder(side, quantity, price, tif="GTC"),
                Order(action=side, totalQuantity=quantity, orderType="TRAIL", auxPrice=0.5, tif="GTC"),
                Order(action=side, totalQuantity=quantity, orderType="LIT", auxPrice=price, lmtPrice=price),
            ]
        )

    def contract(self) -> Contract:
        long, short = self.random.sample(PUTS, 2)
        option = Contract(conId=self.random.choice(PUTS), exchange="SMART")
        return self.random.choice([STOCK, STOCK, spread((short, "SELL"), (long, "BUY")), option])

    def place(self) -> None:
        who = self.random.randrange(2)
        contract = self.contract()
        self.clients[who].place(self.next_id(who), contract, self.order(contract))

    def family(self) -> None:
        """A bracket, or an OCA group across both clients."""
        random = self.random
        quantity = random.randrange(2, 40)
        if random.random() < 0.5:
            who = random.randrange(2)
            parent, target, stop = (self.next_id(who) for _ in range(3))
            client = self.clients[who]
            client.place(parent, STOCK, LimitOrder("BUY", quantity, 470.5, transmit=False))
            client.place(target, STOCK, LimitOrder("SELL", quantity, 470.2, parentId=parent, transmit=False))
            client.place(stop, STOCK, StopOrder("SELL", quantity, 469.9, parentId=parent))
            return
        self.groups += 1
        kind = random.randrange(1, 4)
        for who in (0, 1, 0):
            order = LimitOrder(
                "BUY", quantity, 469.8 + random.randrange(5) / 10, ocaGroup=f"g{self.groups}", ocaType=kind
            )
            self.clients[who].place(self.next_id(who), STOCK, order)

    def modify(self) -> None:
        who = self.random.randrange(2)
        if self.used[who]:
            order = self.desk.gateway.book.find(who + 1, self.random.randrange(1, self.used[who] + 1))
            # a client that changes the size of one member of a family has left the family's promise
            if order is not None and not order.oca_group and order.perm_id not in self.parents():
                contract = STOCK if order.tradable.wire["secType"] == "STK" else self.contract()
                self.clients[who].place(order.order_id, contract, self.order(contract))

    def cancel(self) -> None:
        who = self.random.randrange(2)
        if self.used[who]:
            self.clients[who].ask(4, 1, self.random.randrange(1, self.used[who] + 1), "")

    def move(self) -> None:
        random = self.random
        for con_id in PUTS:
            bid = random.randrange(0, 40) * 0.05
            self.market.quotes[con_id] = (round(bid, 2) or None, round(bid + 0.05 * random.randrange(1, 4), 2))
        middle = 46_950 + random.randrange(100)
        self.market.quotes[SPY] = (middle / 100, (middle + 2) / 100)
        self.market.last[SPY] = middle / 100
        self.market.sizes[SPY] = (random.randrange(1, 30), random.randrange(1, 30))
        self.step()

    def step(self) -> None:
        for client in self.clients:
            client.ask(49, 1)

    def correct(self) -> None:
        gateway = self.desk.gateway
        rows = [row for row in gateway.book.executions if row.contract["secType"] == "STK" and row.quantity > 1]
        if rows and self.random.random() < 0.5:
            wrong = self.random.choice(rows)
            order = gateway.book.by_perm_id(wrong.perm_id)
            if order is not None and not order.oca_group and not order.live and order.perm_id not in self.parents():
                gateway.book.correct(wrong.exec_id, wrong.price + Decimal("0.01"), wrong.quantity - 1)
                gateway.turn_done()

    def parents(self) -> set[int]:
        return {order.parent_perm_id for order in self.desk.gateway.book.orders()}

    def reopen(self) -> None:
        self.desk.kill_and_open()
        self.clients = [RawClient(self.desk.gateway, self.desk.pace, client_id, stepped=True) for client_id in (1, 2)]
        for client in self.clients:
            client.start()


def quantities_add_up(order: PaperOrder) -> None:
    assert 0 <= order.filled <= order.quantity
    assert order.filled + order.remaining == order.quantity
    assert order.working == (order.status in {Status.PRE_SUBMITTED, Status.SUBMITTED})
    if order.working:
        assert order.remaining > 0
    assert sum((portion.filled for portion in order.portions), Decimal(0)) == order.filled


def families_end_together(orders: list[PaperOrder]) -> None:
    groups: dict[str, list[PaperOrder]] = {}
    for order in orders:
        if order.oca_group:
            groups.setdefault(order.oca_group, []).append(order)
    by_perm_id = {order.perm_id: order for order in orders}
    for members in groups.values():
        if any(order.status is Status.FILLED for order in members):
            assert [order for order in members if order.live] == []
        taken = sum((order.filled for order in members if order.parent_perm_id), Decimal(0))
        parent = by_perm_id.get(members[0].parent_perm_id)
        assert parent is None or taken <= parent.filled


def what_clients_hear_makes_sense(storm: Storm) -> None:
    """openOrder comes before the first orderStatus; an order that has ended keeps its last status."""
    for client in storm.clients:
        opened: set[str] = set()
        last: dict[str, str] = {}
        for fields in unframed(client.transport.written):
            if fields[0] == "5":
                opened.add(fields[1])
            elif fields[0] == "3":
                assert fields[1] in opened
                assert last.get(fields[1]) not in ENDS or fields[2] == last[fields[1]]
                last[fields[1]] = fields[2]


def cash_is_conserved(storm: Storm) -> None:
    gateway = storm.desk.gateway
    account = gateway.ledger.accounts[gateway.accounts[0]]
    legs = [row for row in gateway.book.executions if row.commission is not None]
    flows = sum(
        (-row.quantity if row.side is Action.BUY else row.quantity) * row.price * int(row.contract["multiplier"] or 1)
        - (row.commission or 0)
        for row in legs
    )
    assert account.cash_usd == 200_000 + flows
    for position in gateway.ledger.of(account.account):
        own = [row for row in legs if row.contract["conId"] == position.con_id]
        assert position.quantity == sum(row.quantity if row.side is Action.BUY else -row.quantity for row in own)


def state(storm: Storm) -> tuple[object, ...]:
    gateway = storm.desk.gateway
    orders = [
        {**asdict(order), "tradable": dict(order.tradable.wire), "echo": order.echo} for order in gateway.book.orders()
    ]
    ids = [gateway.book.next_order_id(client_id) for client_id in (1, 2, 3)]
    ledger = gateway.ledger
    return orders, gateway.book.executions, ledger.positions, ledger.accounts, ids, gateway.now


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_the_book_holds_its_promises_and_is_read_back_at_every_moment(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        storm = Storm(Path(folder), seed)
        for step in range(STEPS):
            storm.act()
            orders = list(storm.desk.gateway.book.orders())
            for order in orders:
                quantities_add_up(order)
            families_end_together(orders)
            if step % 10 == 9:
                cash_is_conserved(storm)
                what_clients_hear_makes_sense(storm)
                before = state(storm)
                storm.reopen()
                assert state(storm) == before
