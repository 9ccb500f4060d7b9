"""A broker that keeps orders like one, and a session to it that can lose, delay, refuse and break what it carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from tests.support.accounts import ENOUGH

from htbot.domain.bars import Bar
from htbot.domain.errors import NotFound
from htbot.domain.fills import Fill
from htbot.domain.instruments import Contract, Instrument, Right, SecType, Underlying
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.orders import Action, OrderIntent
from htbot.domain.quotes import Quote
from htbot.domain.signals import Leg
from htbot.execution.messages import (
    BagExecutionMessage,
    CommissionMessage,
    ErrorMessage,
    LegExecutionMessage,
    OpenOrderMessage,
    OrderMessage,
    OrderStatusMessage,
)
from htbot.marketdata.messages import ConnectionMessage, MarketMessage, QuoteMessage, TimeMessage
from htbot.marketdata.snapshot import ListedOption

UNDERLYING_ID = 1
UNKNOWN_SYMBOL = "NOSUCH"
LONG_PRICE = Decimal("2.00")
VALUES = {
    "NetLiquidation": "100000.00",
    "BuyingPower": "100000.00",
    "AvailableFunds": "25000.00",
    "ExcessLiquidity": "100000.00",
    "EquityWithLoanValue": "100000.00",
    "GrossPositionValue": "0.00",
    "SettledCash": "100000.00",
    "DayTradesRemaining": "-1",
}
OVER = ("Filled", "Cancelled", "Inactive")
Execution = LegExecutionMessage | BagExecutionMessage
Sink = Callable[[OrderMessage | MarketMessage], None]


@dataclass
class HeldOrder:
    """One order as the broker has it."""

    intent: OrderIntent
    order_id: int
    client_id: int
    perm_id: int
    limit: Decimal
    status: str = "Submitted"
    filled: int = 0
    average: Decimal = Decimal(0)
    quantity: int = 0

    def __post_init__(self) -> None:
        self.quantity = self.quantity or self.intent.quantity

    @property
    def shown(self) -> Decimal:
        """Prices of a single leg have the broker's own sign."""
        return self.intent.in_books(self.limit)

    @property
    def working(self) -> bool:
        return self.status not in OVER

    def as_message(self) -> OpenOrderMessage:
        return OpenOrderMessage(
            ref=self.intent.ref,
            order_id=self.order_id if self.working else 0,
            client_id=self.client_id,
            perm_id=self.perm_id,
            account=self.intent.account,
            status=self.status,
            limit=self.shown,
            quantity=self.quantity,
            completed=not self.working,
            filled=self.filled,
        )

    def as_status(self) -> OrderStatusMessage:
        remaining, average = self.quantity - self.filled, self.intent.in_books(self.average)
        return OrderStatusMessage(
            self.order_id, self.client_id, self.perm_id, self.status, self.filled, remaining, average
        )


@dataclass
class FakeBroker:
    """What the broker knows, whatever becomes of our side of the line."""

    account: str
    now: Callable[[], datetime]
    world_id: str = "world-1"
    next_valid_id: int = 1
    orders: list[HeldOrder] = field(default_factory=list)
    executions_today: list[Execution] = field(default_factory=list)
    held: dict[tuple[str, int], tuple[Contract, int]] = field(default_factory=dict)
    sessions: list[FakeSession] = field(default_factory=list)
    options: list[ListedOption] = field(default_factory=list)
    quotes: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=lambda: dict(VALUES))
    shortable: dict[int, float] = field(default_factory=dict)
    margin: WhatIf = ENOUGH
    history: dict[tuple[str, int], list[Bar]] = field(default_factory=dict)
    con_ids: dict[str, int] = field(default_factory=dict)
    """Underlyings beside the one that is there for all others."""
    more_accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Other accounts of the login, with the values that are not `values`."""

    def working(self, ref: str) -> HeldOrder:
        """The order of a reference that works."""
        [found] = [order for order in self.orders if order.intent.ref == ref and order.working]
        return found

    def highest_id(self, client_id: int) -> int:
        """Of the orders that have reached it from a client: lower ids are refused."""
        return max((order.order_id for order in self.orders if order.client_id == client_id), default=0)

    def of(self, ref: str) -> list[HeldOrder]:
        """Every order that ever carried a reference."""
        return [order for order in self.orders if order.intent.ref == ref]

    def tell(self, *messages: OrderMessage) -> None:
        """To every session that is connected and hears."""
        for session in self.sessions:
            if session.connected and not session.deaf:
                for message in messages:
                    session.sink(message)

    def accept(
        self, intent: OrderIntent, order_id: int, client_id: int, limit: Decimal, quantity: int | None = None
    ) -> HeldOrder:
        """A new order works."""
        order = HeldOrder(intent, order_id, client_id, 9000 + len(self.orders), limit, quantity=quantity or 0)
        self.orders.append(order)
        self.next_valid_id = max(self.next_valid_id, order_id + 1)
        return order

    def fill(self, ref: str, price: str | None = None, quantity: int | None = None) -> None:
        """Execute a working order at a signed net price, in part when a quantity is given."""
        order = self.working(ref)
        done = quantity or order.quantity - order.filled
        net = order.limit if price is None else Decimal(price)
        order.average = (order.average * order.filled + net * done) / (order.filled + done)
        order.filled += done
        if order.filled == order.quantity:
            order.status = "Filled"
        executed = self.execute(order, net, done)
        self.tell(*executed, order.as_message(), order.as_status())
        for other in self.siblings(order):
            self.reduce(other, done)

    def siblings(self, order: HeldOrder) -> list[HeldOrder]:
        """The other working orders of a group."""
        group = order.intent.group
        return [one for one in self.orders if one is not order and one.working and group and one.intent.group == group]

    def reduce(self, order: HeldOrder, done: int) -> None:
        """Another order of its group has filled: OCA type 2."""
        order.quantity = max(order.filled, order.quantity - done)
        if order.quantity == order.filled:
            order.status = "Cancelled"
        self.tell(order.as_message(), order.as_status())

    def execute(self, order: HeldOrder, net: Decimal, quantity: int) -> list[Execution]:
        """The executions of a fill, booked at the broker: the combination's first, then one of each leg."""
        number = len(self.executions_today)
        intent = order.intent
        made: list[Execution] = []
        if intent.alone is None:
            told = (intent.ref, order.order_id, order.perm_id, quantity, order.filled, net, self.now())
            made.append(BagExecutionMessage(f"{number:05d}.00.01", *told))
        for part, leg in enumerate(intent.legs, start=1):
            bought = (leg.ratio > 0) is (intent.action is Action.BUY)
            fill = Fill(
                exec_id=f"{number:05d}.{part:02d}.01",
                ref=intent.ref,
                account=intent.account,
                con_id=leg.con_id,
                symbol=leg.symbol,
                expiry=leg.expiry,
                strike=leg.strike,
                right=leg.right,
                side=Action.BUY if bought else Action.SELL,
                quantity=quantity,
                price=_price_of(intent, leg, net),
                multiplier=leg.multiplier,
                executed_at=self.now(),
                perm_id=order.perm_id,
            )
            made.append(LegExecutionMessage(fill, order.order_id, order.client_id))
            self.move(intent.account, _contract_of(fill), fill.signed_quantity)
        self.executions_today += made
        return made

    def move(self, account: str, contract: Contract, quantity: int) -> None:
        """A position changes."""
        _known, before = self.held.pop((account, contract.con_id), (contract, 0))
        if before + quantity:
            self.held[account, contract.con_id] = (contract, before + quantity)

    def legs_of(self, ref: str) -> list[Fill]:
        """The leg executions of a reference."""
        legs = [item.fill for item in self.executions_today if isinstance(item, LegExecutionMessage)]
        return [fill for fill in legs if fill.ref == ref]

    def report_commissions(self, ref: str, each: str = "1.23") -> None:
        """Commissions come for legs, each on its own and after the execution."""
        self.tell(*(CommissionMessage(fill.exec_id, Decimal(each)) for fill in self.legs_of(ref)))

    def end(self, ref: str, status: str = "Cancelled") -> None:
        """A working order ends without being asked."""
        order = self.working(ref)
        order.status = status
        self.tell(order.as_status())


def _price_of(intent: OrderIntent, leg: Leg, net: Decimal) -> Decimal:
    if intent.alone is not None:
        return intent.in_books(net)
    return LONG_PRICE if leg.ratio > 0 else LONG_PRICE - net


def _contract_of(fill: Fill) -> Contract:
    if fill.expiry is None:
        return Contract(fill.con_id, fill.symbol, SecType.STOCK, "SMART")
    return Contract(
        fill.con_id, fill.symbol, SecType.OPTION, "SMART", "USD", fill.expiry, fill.strike, fill.right, "SPXW", 100
    )


class FakeSession:
    """One connection to the broker, with faults that a test switches on."""

    def __init__(self, broker: FakeBroker, client_id: int, sink: Sink) -> None:
        self.broker, self.client_id, self.sink = broker, client_id, sink
        self.connected = False
        self.deaf = False  # replies are lost
        self.lost_requests = 0  # so many requests never arrive
        self.broken = False  # the socket breaks at the next request
        self.reject: tuple[int, str] | None = None  # new orders
        self.refuse_modify: tuple[int, str] | None = None
        self.refuse_cancel: tuple[int, str] | None = None
        self.on_place: Callable[[OrderIntent, int, Decimal], None] | None = None
        self.placed: list[tuple[str, int, Decimal]] = []
        self.cancels: list[int] = []
        self.asked_margin: list[tuple[MarginQuestion, int]] = []
        self.next_valid_id = 0
        self.renewed: list[int] = []
        self.dead_lines: set[int] = set()
        self._lines: set[int] = set()
        broker.sessions.append(self)

    # --- connection ------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self.connected = True
        self.next_valid_id = self.broker.next_valid_id
        self._lines.clear()
        self.sink(TimeMessage(self.broker.now()))

    def disconnect(self) -> None:
        self.connected = False

    def leave(self, why: str) -> None:
        self.disconnect()
        self.sink(ConnectionMessage(connected=False, text=why))

    def hang_up(self) -> None:
        """The broker's end of the socket closes: only that is told, not an end that we have made."""
        self.connected = False
        self.sink(ConnectionMessage(connected=False, text="socket closed"))

    @property
    def accounts(self) -> tuple[str, ...]:
        return (self.broker.account, *self.broker.more_accounts)

    def account_value(self, account: str, tag: str) -> str | None:
        own = self.broker.more_accounts.get(account, {})
        values = {"HtbotWorld": self.broker.world_id, **self.broker.values, **own}
        return values.get(tag) if account in self.accounts else None

    def account_amount(self, account: str, tag: str) -> Decimal | None:
        value = None if tag == "HtbotWorld" else self.account_value(account, tag)
        return None if value is None else Decimal(value)

    def request_time(self) -> None:
        self._tell(TimeMessage(self.broker.now()))

    async def current_time(self) -> datetime:
        return self.broker.now()

    # --- orders ----------------------------------------------------------------------------------------------------

    def place(self, intent: OrderIntent, order_id: int, limit: Decimal, quantity: int | None = None) -> None:
        if self.on_place is not None:
            self.on_place(intent, order_id, limit)
        self.placed.append((intent.ref, order_id, limit))
        if not self._arrives():
            return
        own = [order for order in self.broker.orders if (order.order_id, order.client_id) == (order_id, self.client_id)]
        if own:
            self._modify(own[0], intent, limit, quantity)
        elif order_id <= self.broker.highest_id(self.client_id):
            self._tell(ErrorMessage(order_id, 103, "Duplicate order id"))
        elif self.reject is not None:
            self._tell(ErrorMessage(order_id, *self.reject))
        else:
            order = self.broker.accept(intent, order_id, self.client_id, limit, quantity)
            self._tell(order.as_message(), order.as_status())

    async def what_if(self, question: MarginQuestion, order_id: int) -> WhatIf:
        self.asked_margin.append((question, order_id))
        if not self._arrives():
            return WhatIf(unknown="the broker did not answer within 10 s")
        if any(leg.con_id not in self.broker.quotes for leg in question.legs):
            return WhatIf(rejected="broker error 200: No security definition has been found for the request")
        return WhatIf(rejected="broker error {}: {}".format(*self.reject)) if self.reject else self.broker.margin

    def _modify(self, order: HeldOrder, intent: OrderIntent, limit: Decimal, quantity: int | None) -> None:
        if not order.working or order.intent.ref != intent.ref:
            self._tell(ErrorMessage(order.order_id, 103, "Duplicate order id"))
        elif self.refuse_modify is not None:
            self._tell(ErrorMessage(order.order_id, *self.refuse_modify))
        else:
            order.limit, order.quantity = limit, quantity or intent.quantity
            self._tell(order.as_message(), order.as_status())

    def cancel(self, order_id: int) -> None:
        self.cancels.append(order_id)
        if not self._arrives():
            return
        own = [order for order in self.broker.orders if (order.order_id, order.client_id) == (order_id, self.client_id)]
        if not own or not own[0].working:
            self._tell(ErrorMessage(order_id, 10147, f"OrderId {order_id} that needs to be cancelled is not found."))
        elif self.refuse_cancel is not None:
            self._tell(ErrorMessage(order_id, *self.refuse_cancel))
        else:
            own[0].status = "Cancelled"
            self._tell(own[0].as_status(), ErrorMessage(order_id, 202, "Order Canceled - reason:"))

    def _arrives(self) -> bool:
        if self.broken or not self.connected:
            self.connected = False
            raise ConnectionError("Not connected")
        self.lost_requests -= 1
        return self.lost_requests < 0

    def _tell(self, *messages: OrderMessage | MarketMessage) -> None:
        if not self.deaf:
            for message in messages:
                self.sink(message)

    # --- what the broker holds -------------------------------------------------------------------------------------

    async def open_orders(self) -> list[OpenOrderMessage]:
        told = [order.as_message() for order in self.broker.orders]
        return sorted(told, key=lambda order: order.completed)

    async def executions(self) -> list[Execution]:
        return list(self.broker.executions_today)

    def positions(self) -> dict[tuple[str, int], tuple[Contract, int]]:
        return dict(self.broker.held)

    def holdings(self, account: str) -> dict[int, int]:
        return {con_id: quantity for (owner, con_id), (_, quantity) in self.broker.held.items() if owner == account}

    # --- market ----------------------------------------------------------------------------------------------------

    async def qualify(self, underlying: Underlying) -> Contract:
        return Contract(UNDERLYING_ID, underlying.symbol, underlying.sec_type, underlying.exchange)

    async def listed_options(self, underlying: Underlying, expiry: date) -> list[ListedOption]:
        wanted = (expiry, underlying.option_class)
        return [option for option in self.broker.options if (option.expiry, option.trading_class) == wanted]

    async def stream_bars(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        del days
        return list(self.broker.history.get((contract.symbol, minutes), []))

    async def resolve(self, instrument: Instrument) -> Contract:
        if instrument.symbol == UNKNOWN_SYMBOL:
            raise NotFound(f"the broker knows no {instrument.sec_type.value} {instrument.symbol}")
        con_id = self.broker.con_ids.get(instrument.symbol, UNDERLYING_ID)
        return Contract(con_id, instrument.symbol, instrument.sec_type, instrument.exchange)

    def stop_bars(self, contract: Contract, minutes: int) -> None:
        del contract, minutes

    async def history(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        return await self.stream_bars(contract, minutes, days)

    def subscribe(self, contract_id: int, exchange: str, *, borrowing: bool = False) -> None:
        del exchange, borrowing
        self._lines.add(contract_id)

    def shortable(self, contract_id: int) -> float | None:
        return self.broker.shortable.get(contract_id)

    def unsubscribe(self, contract_id: int) -> None:
        self._lines.discard(contract_id)

    def renew(self, contract_id: int) -> None:
        self.renewed.append(contract_id)
        if contract_id in self.broker.quotes and contract_id not in self.dead_lines:
            self._tell(QuoteMessage(frozenset({contract_id})))

    @property
    def subscribed(self) -> frozenset[int]:
        return frozenset(self._lines)

    def quote(self, contract_id: int, as_of: datetime) -> Quote | None:
        if contract_id not in self.broker.quotes:
            return None
        bid, ask = self.broker.quotes[contract_id]
        return Quote(contract_id, as_of, bid, ask, 10.0 if bid else 0.0, 10.0 if ask else 0.0)


def listed(day: date, strikes: Iterable[int]) -> list[ListedOption]:
    """Puts and calls of a grid, by strike."""
    return [
        ListedOption(strike * 10 + number, day, Decimal(strike), right, "SPXW")
        for strike in strikes
        for number, right in enumerate((Right.CALL, Right.PUT))
    ]
