"""A client that takes the snapshot and applies what follows has the board's state, whatever happens when."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from htbot.services.board.board import Board, Dropped, Subscription, Topic

NAMES = st.sampled_from(["SPX", "SPY", "a", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "open", "-4.25"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
STATES = st.dictionaries(NAMES, VALUES, max_size=4)
TOPICS = st.sampled_from([Topic.PRICES, Topic.ORDERS])
STEPS = st.one_of(
    st.tuples(st.just("publish"), TOPICS, STATES),
    st.tuples(st.just("join"), TOPICS, st.integers(1, 4)),
    st.tuples(st.just("fetch"), st.integers(0, 4), st.none()),
    st.tuples(st.just("leave"), st.integers(0, 4), st.none()),
)


class Client:
    """Keeps a state from messages alone, as a program of somebody else does."""

    def __init__(self, subscription: Subscription, topic: Topic) -> None:
        self.subscription, self.topic = subscription, topic
        self.state: dict[str, Any] | None = None
        self.sequence: int | None = None

    def fetch(self) -> None:
        for update in self.subscription.fetch():
            told = json.loads(update.text())
            if told["snapshot"]:
                assert self.state is None
                self.state = {}
            else:
                assert self.sequence is not None
                assert told["seq"] == self.sequence + 1
                assert told["set"] or told["gone"]
            assert self.state is not None
            self.sequence = told["seq"]
            self.state.update(told["set"])
            for name in told["gone"]:
                del self.state[name]


async def play(steps: list[tuple[str, Any, Any]]) -> None:
    board, clients = Board(), []
    told: dict[Topic, Any] = {}
    for what, first, second in steps:
        if what == "publish":
            board.publish(first, second, None)
            told[first] = second
        elif what == "join":
            clients.append(Client(board.subscribe([first], depth=second), first))
        elif clients:
            client = clients[first % len(clients)]
            try:
                client.fetch()
            except Dropped:
                clients.remove(client)
                continue
            assert client.state == board.state(client.topic)
            assert client.state is None or client.state == told[client.topic]
            if what == "leave":
                client.subscription.close()
                clients.remove(client)
    assert board.followed <= {client.topic for client in clients}


@given(st.lists(STEPS, max_size=25))
def test_snapshot_and_deltas_are_the_state(steps: list[tuple[str, Any, Any]]) -> None:
    asyncio.run(play(steps))
