"""One WebSocket from its first message to its end: token, channels, changes.

It follows the board like everybody else. Whoever is too slow, says too much or has lost its token is told why by the
close code, and costs the others nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.websockets import WebSocket, WebSocketDisconnect

from htbot.api.streams.connection import framed
from htbot.api.streams.messages import LARGEST, Malformed, Ping, Said, Subscribe, first, later
from htbot.services.board.board import Board, Dropped, Subscription, Topic
from htbot.services.board.deltas import encoded
from htbot.services.doorman import Doorman, LockedOut, NotAdmitted

MALFORMED, UNKNOWN_TOKEN, TOO_LATE, LOCKED_OUT = 4400, 4401, 4408, 4429
POLICY, TOO_BIG, TRY_AGAIN_LATER = 1008, 1009, 1013


class Ended(Exception):
    """Close with this code, and say why."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of a client.

    Attributes:
        token_within_s: from the opening to the first message.
        looks_every_s: how soon a token that was revoked ends what was opened with it.
        closing_s: how long it may take to say why a session ends.
        most_said: messages of one client within `said_within_s`.
        most_waiting: sockets that have not shown a token yet, of all clients.
    """

    token_within_s: float = 5.0
    looks_every_s: float = 5.0
    closing_s: float = 1.0
    most_said: int = 60
    said_within_s: float = 10.0
    most_waiting: int = 64


TERMS = Terms()


@dataclass(slots=True)
class Porch:
    """Where sockets wait until they have shown a token. When it is full, whoever has waited longest has to go."""

    places: int = TERMS.most_waiting
    waiting: dict[asyncio.Future[None], None] = field(default_factory=dict)

    def enter(self) -> asyncio.Future[None]:
        """A place, which is done when its holder has to go."""
        if len(self.waiting) >= self.places:
            longest = next(iter(self.waiting))
            self.leave(longest)
            longest.set_result(None)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting[place] = None
        return place

    def leave(self, place: asyncio.Future[None]) -> None:
        """A token was shown, or the socket is gone."""
        self.waiting.pop(place, None)


@dataclass(frozen=True, slots=True)
class House:
    """What every session works with."""

    board: Board
    doorman: Doorman
    porch: Porch = field(default_factory=Porch)
    terms: Terms = TERMS


class StreamSession:
    """One client. `channels` are followed from the start; with `chooses` it may follow others."""

    def __init__(self, socket: WebSocket, house: House, channels: Iterable[Topic], *, chooses: bool) -> None:
        self._socket = socket
        self._house = house
        self._terms = house.terms
        self._chooses = chooses
        self._channels = tuple(channels)
        self._symbols: dict[Topic, frozenset[str]] = {}
        self._token = ""
        self._said: deque[float] = deque(maxlen=house.terms.most_said + 1)

    async def serve(self) -> None:
        """Until one of both sides has had enough."""
        await self._socket.accept()
        try:
            await self._admit()
            await self._follow()
        except Ended as end:
            await self._close(end)
        except WebSocketDisconnect:
            return

    # --- the door --------------------------------------------------------------------------------------------------

    async def _admit(self) -> None:
        if self._socket.scope["query_string"]:
            raise Ended(MALFORMED, "nothing is read from the address: send the token, a new one, as first message")
        try:
            said = first(await self._first_text())
        except Malformed as error:
            wanted = '{"type": "auth", "token": "..."}'
            raise Ended(MALFORMED, f"the first message is {wanted}: {error}") from None
        client = self._socket.client.host if self._socket.client else "unknown"
        try:
            principal = self._house.doorman.admit(said.token, client)
        except NotAdmitted as error:
            raise Ended(LOCKED_OUT if isinstance(error, LockedOut) else UNKNOWN_TOKEN, str(error)) from None
        self._token = said.token
        channels = tuple(Topic) if self._chooses else self._channels
        await self._tell({"type": "ready", "name": principal.name, "role": principal.role, "channels": channels})

    async def _first_text(self) -> str:
        place, listening = self._house.porch.enter(), asyncio.ensure_future(self._text())
        try:
            done, _ = await asyncio.wait(
                (listening, place), timeout=self._terms.token_within_s, return_when=asyncio.FIRST_COMPLETED
            )
            if listening in done:
                return listening.result()
        finally:
            self._house.porch.leave(place)
            listening.cancel()
        if place in done:
            raise Ended(TRY_AGAIN_LATER, "too many sockets wait without a token: try again")
        raise Ended(TOO_LATE, f"no token came within {self._terms.token_within_s:g} s")

    # --- following -------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        subscription, pause_s = self._house.board.subscribe(self._channels), self._terms.looks_every_s
        tasks = [
            asyncio.ensure_future(work)
            for work in (self._pump(subscription), self._listen(subscription), subscription.over())
        ]
        try:
            done: set[asyncio.Future[None]] = set()
            while not done:
                done, _ = await asyncio.wait(tasks, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
                if self._house.doorman.book.find(self._token) is None:
                    raise Ended(UNKNOWN_TOKEN, "the token does not count any more")
            for task in done:
                task.result()
        except Dropped as dropped:
            raise Ended(TRY_AGAIN_LATER, str(dropped)) from None
        finally:
            subscription.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, subscription: Subscription) -> None:
        send, symbols = self._socket.send, self._symbols
        async for update in subscription:
            text = update.text(symbols.get(update.topic))
            await send({"type": "websocket.send", "text": text, "frame": framed(text)})

    async def _listen(self, subscription: Subscription) -> None:
        while True:
            text = await self._text()
            self._count()
            try:
                await self._act(later(text), subscription)
            except Malformed as error:
                await self._tell({"type": "error", "detail": str(error)})

    async def _act(self, said: Said, subscription: Subscription) -> None:
        if isinstance(said, Ping):
            await self._tell({"type": "pong", "at": datetime.now(UTC)})
            return
        if not self._chooses:
            raise Malformed("channel: this address has its own, choose channels at /ws")
        subscription.remove(said.channel)
        self._symbols.pop(said.channel, None)
        if isinstance(said, Subscribe):
            if said.symbols is not None:
                self._symbols[said.channel] = frozenset(said.symbols)
            subscription.add(said.channel)

    # --- the wire --------------------------------------------------------------------------------------------------

    async def _text(self) -> str:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        if text is None:
            raise Ended(MALFORMED, "messages are text, one JSON object each")
        if len(text) > LARGEST:
            raise Ended(TOO_BIG, f"a message has at most {LARGEST} characters")
        return str(text)

    def _count(self) -> None:
        now_s = time.monotonic()
        self._said.append(now_s)
        most, within_s = self._terms.most_said, self._terms.said_within_s
        if len(self._said) > most and now_s - self._said[0] < within_s:
            raise Ended(POLICY, f"more than {most} messages within {within_s:g} s")

    async def _tell(self, document: Mapping[str, object]) -> None:
        await self._socket.send({"type": "websocket.send", "text": encoded(document).decode()})

    async def _close(self, end: Ended) -> None:
        """Say why, unless the client does not read: then the connection below ends by itself."""
        with suppress(TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(self._terms.closing_s):
                await self._socket.close(end.code, str(end)[:120])
