"""The broker's session, twice: the fake that other tests trust, and ours over TCP to the paper gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from tests.support import plain, record
from tests.support.broker import FakeBroker, FakeSession
from tests.support.paper_world import DAYS, SPY, HandMarket, option_id
from tests.support.waiting import settled

from htbot.adapters.ib.session import IbAddress, IbSession
from htbot.adapters.ib.wrapper import SessionMessage
from htbot.domain.instruments import Right
from htbot.domain.orders import Action, OrderIntent
from htbot.domain.signals import PlainLeg, SpreadLeg
from htbot.domain.trades import Trade
from htbot.marketdata.snapshot import ListedOption
from htbot.matching.terms import OrderKind
from htbot.paper.clock import PacedTime
from htbot.paper.faults.stage import ControlBoard
from htbot.paper.gateway import Gateway, GatewayConfig
from htbot.paper.server import serving
from htbot.paper.store import Store

SHORT, LONG = option_id(4700, Right.PUT), option_id(4675, Right.PUT)
LEGS = tuple(
    SpreadLeg(con_id, "SPX", DAYS[0], Decimal(strike), Right.PUT, ratio)
    for con_id, strike, ratio in ((SHORT, 4700, -1), (LONG, 4675, 1))
)
QUOTES = {SHORT: (8.10, 8.20), LONG: (3.30, 3.40)}  # opens at 4.70, closes at 4.90
CLIENT = 7


class World(Protocol):
    """A broker that a test can talk to through a session."""

    account: str
    session: Any
    told: list[SessionMessage]

    async def cross(self, ref: str) -> None:
        """The market meets the limit of a working order."""
        ...

    async def cross_entry(self, ref: str) -> None:
        """Time goes on, and an order that is marketable meets the touch."""
        ...

    def hang_up(self) -> None:
        """The broker closes the connection."""
        ...

    def refuse_changes(self) -> None:
        """From now on changes of working orders are refused, and the orders work on."""
        ...

    async def second(self, client_id: int) -> Any:
        """Another client's session, connected; `told` hears the first only."""
        ...


class FakeWorld:
    """A broker in the process."""

    def __init__(self) -> None:
        self.account = record.ACCOUNT
        grid = [ListedOption(leg.con_id, leg.expiry, leg.strike, leg.right, "SPXW") for leg in reversed(LEGS)]
        self.broker = FakeBroker(self.account, lambda: record.NOON, quotes=dict(QUOTES), options=grid)
        self.broker.shortable[SPY] = 5000.0
        self.broker.quotes |= {1: (4699.9, 4700.1), SPY: (469.99, 470.01)}
        self.told: list[SessionMessage] = []
        self.session = FakeSession(self.broker, CLIENT, self.told.append)

    async def cross(self, ref: str) -> None:
        self.broker.fill(ref)
        self.broker.report_commissions(ref)

    async def cross_entry(self, ref: str) -> None:
        await self.cross(ref)

    def hang_up(self) -> None:
        self.session.hang_up()

    def refuse_changes(self) -> None:
        self.session.refuse_modify = (201, "Order rejected - reason:not now")

    async def second(self, client_id: int) -> FakeSession:
        other = FakeSession(self.broker, client_id, lambda _message: None)
        await other.connect()
        return other


class HandClock:
    """A clock that a test sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class TcpWorld:
    """The paper gateway, and ib_async between."""

    def __init__(self, gateway: Gateway, market: HandMarket, pace: PacedTime, port: int) -> None:
        self.gateway, self.market, self.pace, self.port = gateway, market, pace, port
        self.account = gateway.accounts[0]
        self.told: list[SessionMessage] = []
        self.session = IbSession(IbAddress("127.0.0.1", port, CLIENT), self.told.append)
        self.others: list[IbSession] = []

    async def cross(self, ref: str) -> None:
        """Quotes move until natural meets the limit, and time goes on."""
        [order] = [order for order in self.gateway.book.working if order.ticket.ref == ref]
        if order.tradable.con_ids == (SPY,):
            self._cross_shares(order.ticket.kind is OrderKind.STOP, order.ticket.action is Action.BUY)
            return
        self.market.quotes |= {SHORT: (10.20, 10.30), LONG: (0.90, 1.00)}
        if order.ticket.action.value == "SELL":
            self.market.quotes |= {SHORT: (3.30, 3.40), LONG: (3.20, 3.30)}
        self.pace._clock.at += timedelta(seconds=5)
        self.pace.tick()

    async def cross_entry(self, ref: str) -> None:
        del ref
        self.pace._clock.at += timedelta(seconds=5)
        self.pace.tick()

    def _cross_shares(self, stop: bool, bought: bool) -> None:
        """A stop to sell is met by a fall, a limit to sell by a rise, and the other way round."""
        price = 480.0 if stop is bought else 460.0
        self.market.quotes[SPY], self.market.last[SPY] = (price, price + 0.02), price
        self.pace._clock.at += timedelta(seconds=5)
        self.pace.tick()

    def hang_up(self) -> None:
        for session in self.gateway.sessions.values():
            session.close()

    def refuse_changes(self) -> None:
        ControlBoard(self.gateway, self.pace).add("refuse-modify", {"times": "always"})

    async def second(self, client_id: int) -> IbSession:
        other = IbSession(IbAddress("127.0.0.1", self.port, client_id), lambda _message: None)
        await other.connect()
        self.others.append(other)
        return other


@asynccontextmanager
async def tcp_world(file: Path, accounts: tuple[str, ...] = ()) -> AsyncIterator[TcpWorld]:
    """A gateway that keeps its book in `file`, served on a free port, and a session that is connected to it."""
    market = HandMarket()
    market.quotes |= QUOTES
    gateway = Gateway(market, Store(file), GatewayConfig(accounts=accounts, latency_s=0.0))
    pace = PacedTime(gateway, 1.0, HandClock(gateway.now))
    async with serving(gateway, pace, "127.0.0.1", 0) as port:
        world = TcpWorld(gateway, market, pace, port)
        await world.session.connect()
        yield world
        for session in (world.session, *world.others):
            session.disconnect()
        await settled(lambda: not gateway.sessions)


def entry(world: World, number: int = 1, **changes: Any) -> OrderIntent:
    """The bull put spread, opened."""
    trade = record.trade(number, account=world.account, legs=LEGS, width=Decimal(25))
    intent = record.entry(trade, number, session=DAYS[0], good_till=None)
    return replace(intent, **changes)


def exit_(world: World, number: int = 1, **changes: Any) -> OrderIntent:
    """The same, closed."""
    trade = record.trade(number, account=world.account, legs=LEGS, width=Decimal(25))
    return replace(record.exit_of(trade, number), **changes)


def shares(world: World, ratio: int = 1, **changes: Any) -> Trade:
    """Ten shares of SPY, bought or sold short at 470."""
    changes = {"account": world.account, "quantity": 10, "credit": Decimal(-470 * ratio), **changes}
    return plain.trade(1, PlainLeg(SPY, "SPY", ratio), **changes)


def shares_entry(world: World, ratio: int = 1, **changes: Any) -> OrderIntent:
    """Their entry, marketable."""
    made = plain.entry(shares(world, ratio), 1, "471.00" if ratio > 0 else "469.00", session=DAYS[0], good_till=None)
    return replace(made, **changes)
