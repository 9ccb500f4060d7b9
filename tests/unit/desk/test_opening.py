from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.support.record import ACCOUNT, NOON, at

from htbot.adapters.ib.wrapper import SessionMessage
from htbot.desk.clock import DeskClock
from htbot.desk.opening import await_time, choose_world
from htbot.domain.errors import Retryable, StopTrading
from htbot.marketdata.clock_state import Mode
from htbot.marketdata.messages import ConnectionMessage, QuoteMessage, TimeMessage

CLOSED = ConnectionMessage(connected=False, text="socket closed")
LOST = ConnectionMessage(connected=False, code=1100, text="Connectivity lost")


@dataclass
class Login:
    accounts: tuple[str, ...] = (ACCOUNT,)
    world: str | None = "world-1"
    connected: bool = True
    asked: list[str] = field(default_factory=list)

    def account_value(self, account: str, tag: str) -> str | None:
        self.asked.append(f"{account} {tag}")
        return self.world


def test_a_real_login_is_never_attached_to_by_accident() -> None:
    """RULINGS 29."""
    with pytest.raises(StopTrading, match="IB_HOST and IB_PORT"):
        choose_world(Login(world=None), ACCOUNT, required=True)
    assert choose_world(Login(world=None), ACCOUNT, required=False) == "live"
    login = Login()
    assert choose_world(login, ACCOUNT, required=True) == "world-1"
    assert login.asked == [f"{ACCOUNT} HtbotWorld"]


def inbox_of(*messages: SessionMessage) -> asyncio.Queue[SessionMessage]:
    inbox: asyncio.Queue[SessionMessage] = asyncio.Queue()
    for message in messages:
        inbox.put_nowait(message)
    return inbox


def left(inbox: asyncio.Queue[SessionMessage]) -> list[SessionMessage]:
    return [inbox.get_nowait() for _ in range(inbox.qsize())]


async def test_everything_before_and_after_the_time_stays_in_order() -> None:
    told = [QuoteMessage(frozenset({1})), LOST, TimeMessage(NOON), QuoteMessage(frozenset({2})), TimeMessage(at(1))]
    inbox, clock = inbox_of(*told), DeskClock(Mode.STEPPED, None)
    await await_time(Login(), inbox, clock)
    assert clock.now() == NOON
    assert left(inbox) == told


async def test_the_end_of_the_session_before_does_not_end_this_one() -> None:
    inbox, clock = inbox_of(QuoteMessage(frozenset({1})), CLOSED, TimeMessage(NOON)), DeskClock(Mode.STEPPED, None)
    await await_time(Login(), inbox, clock)
    assert clock.now() == NOON
    assert left(inbox) == [QuoteMessage(frozenset({1})), TimeMessage(NOON)]


async def test_a_session_that_ends_before_it_tells_the_time_is_tried_again() -> None:
    inbox = inbox_of(QuoteMessage(frozenset({1})), CLOSED)
    with pytest.raises(Retryable, match="ended before"):
        await await_time(Login(connected=False), inbox, DeskClock(Mode.STEPPED, None))
    assert left(inbox) == [QuoteMessage(frozenset({1}))]
