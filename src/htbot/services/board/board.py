"""Topics, each with its state and a count of its changes, and who follows them. Lives in one event loop.

Whoever subscribes gets the state of a topic first and each change after it, numbered without a gap. A change is put
into words once, however many follow. Nobody waits for a subscriber: one that falls too far behind is dropped and told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum

from htbot.services.board.deltas import Delta, State, difference, encoded

DEPTH = 64
"""Changes that wait for one subscriber before it is dropped: 16 seconds at four a second."""
_MOST_TEXTS = 16
SLOW = "too slow: the changes that waited for you were more than are kept"


class Topic(StrEnum):
    """What can be followed. The value is its name for everybody outside."""

    HEALTH = "health"
    PRICES = "prices"
    SIGNALS = "signals"
    PORTFOLIO = "portfolio"
    STATUS = "status"
    POSITIONS = "positions"
    ORDERS = "orders"
    FILLS = "fills"
    ALERTS = "alerts"


KIND = {
    Topic.HEALTH: "health",
    Topic.PRICES: "price_update",
    Topic.SIGNALS: "signal",
    Topic.PORTFOLIO: "portfolio_update",
    Topic.STATUS: "status",
    Topic.POSITIONS: "positions",
    Topic.ORDERS: "order",
    Topic.FILLS: "trade_executed",
    Topic.ALERTS: "alert",
}
"""How a message about each topic is called."""


class Dropped(Exception):
    """The subscription has ended; the text says why."""


class Update:
    """One change of one topic, or its whole state for somebody new.

    `as_of` is the market time at which it was true (None: unknown), `at` the host time at which it was told.
    """

    __slots__ = ("_texts", "as_of", "at", "delta", "sequence", "snapshot", "topic")

    def __init__(self, topic: Topic, sequence: int, delta: Delta, *, snapshot: bool, as_of: datetime | None) -> None:
        self.topic = topic
        self.sequence = sequence
        self.delta = delta
        self.snapshot = snapshot
        self.as_of = as_of
        self.at = datetime.now(UTC)
        self._texts: dict[frozenset[str] | None, str] = {}

    def text(self, symbols: frozenset[str] | None = None) -> str:
        """The message as JSON, of all symbols or of these only; made once for all who ask for the same.

        A snapshot waits for whoever comes, and choices of symbols are without number: the first few are kept.
        """
        known = self._texts.get(symbols)
        if known is None:
            delta = self.delta if symbols is None else self.delta.of(symbols)
            document = {
                "type": KIND[self.topic],
                "channel": self.topic.value,
                "seq": self.sequence,
                "snapshot": self.snapshot,
                "as_of": self.as_of,
                "at": self.at,
                "set": delta.set,
                "gone": delta.gone,
            }
            known = encoded(document).decode()
            if symbols is None or len(self._texts) < _MOST_TEXTS:
                self._texts[symbols] = known
        return known


class Subscription:
    """What one follower has not fetched yet. `async for` ends with `Dropped` when it was too slow."""

    def __init__(self, board: Board, depth: int) -> None:
        self._board = board
        self._depth = depth
        self._waiting: deque[Update] = deque()
        self._something = asyncio.Event()
        self._over = asyncio.Event()
        self._ended: str | None = None

    def add(self, topic: Topic) -> None:
        """Follow this topic too. Its state comes first, at once or as soon as it is known."""
        self._board.follow(topic, self)

    def remove(self, topic: Topic) -> None:
        """Follow this topic no more; what waits of it is forgotten."""
        self._board.leave(topic, self)
        self._waiting = deque(update for update in self._waiting if update.topic is not topic)

    def put(self, update: Update) -> None:
        """Keep one for the follower, or end the subscription when there is no room (called by the board)."""
        if len(self._waiting) >= self._depth:
            self.end(SLOW)
            return
        self._waiting.append(update)
        self._something.set()

    def end(self, why: str) -> None:
        """No more comes; whoever waits is told why."""
        self._board.leave_all(self)
        self._waiting.clear()
        self._ended = self._ended or why
        self._something.set()
        self._over.set()

    def close(self) -> None:
        """The follower goes."""
        self.end("closed")

    def fetch(self) -> list[Update]:
        """Everything that has come, oldest first, without waiting.

        Raises:
            Dropped: the subscription has ended.
        """
        if self._ended is not None:
            raise Dropped(self._ended)
        found = list(self._waiting)
        self._waiting.clear()
        self._something.clear()
        return found

    async def over(self) -> None:
        """Wait for the end, whatever else is under way.

        Raises:
            Dropped: always.
        """
        await self._over.wait()
        raise Dropped(self._ended)

    async def next(self) -> Update:
        """The next one.

        Raises:
            Dropped: the subscription has ended.
        """
        while not self._waiting:
            if self._ended is not None:
                raise Dropped(self._ended)
            self._something.clear()
            await self._something.wait()
        return self._waiting.popleft()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Update:
        return await self.next()


class _Column:
    """One topic on the board: its state while somebody follows it, and the number of its last change."""

    __slots__ = ("as_of", "members", "sequence", "snapshot", "state")

    def __init__(self) -> None:
        self.state: State | None = None
        self.sequence = 0
        self.as_of: datetime | None = None
        self.snapshot: Update | None = None
        self.members: set[Subscription] = set()

    def begin(self, topic: Topic, subscription: Subscription) -> None:
        """Tell somebody new how it is."""
        if self.snapshot is None:
            whole = Delta(self.state or {})
            self.snapshot = Update(topic, self.sequence, whole, snapshot=True, as_of=self.as_of)
        subscription.put(self.snapshot)


class Board:
    """All topics. A topic that nobody follows has no state: it is not read for nobody.

    `on_follow` is called when somebody begins to follow a topic without a state.
    """

    def __init__(self) -> None:
        self._columns = {topic: _Column() for topic in Topic}
        self.on_follow: Callable[[], None] = lambda: None

    @property
    def followed(self) -> frozenset[Topic]:
        """Topics that somebody follows."""
        return frozenset(topic for topic, column in self._columns.items() if column.members)

    def state(self, topic: Topic) -> State | None:
        """The state of a topic; None while nobody follows it or it is not known yet."""
        return self._columns[topic].state

    def subscribe(self, topics: Iterable[Topic], depth: int = DEPTH) -> Subscription:
        """Follow topics; at most `depth` changes wait."""
        subscription = Subscription(self, depth)
        for topic in topics:
            subscription.add(topic)
        return subscription

    def publish(self, topic: Topic, state: State, as_of: datetime | None) -> None:
        """The topic is so now. Nothing is told when that is how it was, and nothing kept when nobody follows."""
        column = self._columns[topic]
        if not column.members:
            return
        delta, known = difference(column.state or {}, state), column.state is not None
        if column.as_of != as_of:
            column.as_of, column.snapshot = as_of, None
        if known and not delta:
            return
        column.state, column.snapshot = state, None
        column.sequence += 1
        if not known:
            for member in tuple(column.members):
                column.begin(topic, member)
            return
        update = Update(topic, column.sequence, delta, snapshot=False, as_of=as_of)
        for member in tuple(column.members):
            member.put(update)

    def follow(self, topic: Topic, subscription: Subscription) -> None:
        """A subscription follows a topic from now on."""
        column = self._columns[topic]
        if subscription in column.members:
            return
        column.members.add(subscription)
        if column.state is None:
            self.on_follow()
        else:
            column.begin(topic, subscription)

    def leave(self, topic: Topic, subscription: Subscription) -> None:
        """A subscription leaves a topic; the state goes with the last one."""
        column = self._columns[topic]
        column.members.discard(subscription)
        if not column.members:
            column.state = column.snapshot = None

    def leave_all(self, subscription: Subscription) -> None:
        """A subscription is over."""
        for topic in Topic:
            self.leave(topic, subscription)
