"""What a new session must tell before anything else: whose account, which world, what time."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session as Transaction

from htbot.adapters.ib.wrapper import SessionMessage
from htbot.desk.clock import DeskClock
from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.sessions import floor_to
from htbot.marketdata.clock_state import GRID_S
from htbot.marketdata.messages import ConnectionMessage, TimeMessage
from htbot.persistence.repositories import DeskStateRepository, TaskRunRepository
from htbot.persistence.repositories.desk_state import LAST_INSTANT, WORLD_ID

TIME_WITHIN_S = 15.0
LIVE = "live"
"""The world of every real broker."""


class Login(Protocol):
    """What opening needs of the broker's session."""

    @property
    def connected(self) -> bool:
        """True while the socket is up."""
        ...

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts of the login."""
        ...

    def account_value(self, account: str, tag: str) -> str | None:
        """One account value as text."""
        ...


def choose_world(session: Login, account: str, *, required: bool) -> str:
    """The paper gateway's world, `live` at a real broker; where it is required, all else is refused (RULINGS 29)."""
    world = session.account_value(account, "HtbotWorld")
    if world is None and required:
        raise StopTrading("this is not the built-in paper gateway: set IB_HOST and IB_PORT to trade through another")
    return world or LIVE


def forget_ended(inbox: asyncio.Queue[SessionMessage]) -> None:
    """Drop what sessions before this one have told of their time and of their end; the rest stays, in order.

    An end that is told behind a time would end the new session, and the next one would find the same again.
    """
    for message in [inbox.get_nowait() for _ in range(inbox.qsize())]:
        ended = isinstance(message, ConnectionMessage) and not message.connected and message.code is None
        if not (ended or isinstance(message, TimeMessage)):
            inbox.put_nowait(message)


async def await_time(session: Login, inbox: asyncio.Queue[SessionMessage], clock: DeskClock) -> None:
    """Wait for the first time message; whatever else has come stays in the inbox, in order.

    The end of the session before this one may only be told now: it ends nothing any more.

    Raises:
        Retryable: the session ended, or the gateway did not tell the time.
    """
    waiting: list[SessionMessage] = []
    try:
        while True:
            message = await asyncio.wait_for(inbox.get(), TIME_WITHIN_S)
            if isinstance(message, ConnectionMessage) and not message.connected and message.code is None:
                if session.connected:
                    continue
                raise Retryable("the session ended before the gateway told the time")
            waiting.append(message)
            if isinstance(message, TimeMessage):
                clock.told(message.market_time)
                return
    except TimeoutError as error:
        raise Retryable(f"the gateway did not tell the time within {TIME_WITHIN_S:.0f} s") from error
    finally:
        rest = [inbox.get_nowait() for _ in range(inbox.qsize())]
        for message in (*waiting, *rest):
            inbox.put_nowait(message)


def require_world(db: Transaction, world_id: str, now: datetime) -> None:
    """Refuse a world that is behind our books; remember the one that we are in.

    Another world of the paper gateway may begin where the one before has been already: runs of tasks from its present
    instant of the grid on are that one's, and would make this one's duplicates. A real broker's time never goes back.
    Which world it is and where its books stand are one fact: a desk that dies before its first bulletin must not leave
    the new world with the old one's time.

    Raises:
        StopTrading: market time has gone back more than a minute.
    """
    state = DeskStateRepository(db)
    known, last = state.get(WORLD_ID), state.get(LAST_INSTANT)
    if known == world_id and last is not None:
        behind = datetime.fromisoformat(last) - now
        if behind.total_seconds() > 60:
            raise StopTrading(f"the gateway is at {now.isoformat()}, our books are at {last}: start it --fresh")
    if known not in {None, world_id} and world_id != LIVE:
        TaskRunRepository(db).forget_from(floor_to(now, GRID_S))
    if known != world_id:
        state.set(LAST_INSTANT, now.isoformat())
    state.set(WORLD_ID, world_id)
