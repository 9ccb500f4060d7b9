"""Whoever follows a topic has its state, always: first whole, then change by change, numbered without a gap."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from htbot.services.board.board import SLOW, Board, Dropped, Subscription, Topic

AS_OF = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def heard(subscription: Subscription) -> list[tuple[int, bool, dict[str, object], list[str]]]:
    texts = [json.loads(update.text()) for update in subscription.fetch()]
    return [(text["seq"], text["snapshot"], text["set"], text["gone"]) for text in texts]


async def test_the_state_comes_first_and_then_each_change() -> None:
    board = Board()
    first = board.subscribe([Topic.PRICES])
    assert heard(first) == []
    board.publish(Topic.PRICES, {"SPX": 1, "SPY": 2}, AS_OF)
    board.publish(Topic.PRICES, {"SPX": 1, "SPY": 3}, AS_OF)
    late = board.subscribe([Topic.PRICES])
    board.publish(Topic.PRICES, {"SPY": 3}, AS_OF)
    assert heard(first) == [
        (1, True, {"SPX": 1, "SPY": 2}, []),
        (2, False, {"SPY": 3}, []),
        (3, False, {}, ["SPX"]),
    ]
    assert heard(late) == [(2, True, {"SPX": 1, "SPY": 3}, []), (3, False, {}, ["SPX"])]


async def test_what_is_as_it_was_is_not_told() -> None:
    board = Board()
    subscription = board.subscribe([Topic.HEALTH])
    for _ in range(3):
        board.publish(Topic.HEALTH, {"redis": "ok"}, AS_OF)
    assert heard(subscription) == [(1, True, {"redis": "ok"}, [])]
    board.publish(Topic.HEALTH, {"redis": None}, AS_OF)
    assert heard(subscription) == [(2, False, {"redis": None}, [])]


async def test_a_newcomer_is_told_the_newest_time_at_which_the_state_was_so() -> None:
    board, later = Board(), AS_OF + timedelta(minutes=5)
    first = board.subscribe([Topic.HEALTH])
    board.publish(Topic.HEALTH, {"redis": "ok"}, AS_OF)
    board.publish(Topic.HEALTH, {"redis": "ok"}, later)
    assert (await board.subscribe([Topic.HEALTH]).next()).as_of == later
    assert (await first.next()).as_of == AS_OF


async def test_choices_of_symbols_do_not_fill_the_memory() -> None:
    board = Board()
    board.subscribe([Topic.PRICES])
    board.publish(Topic.PRICES, {"SPX": 1, "SPY": 2}, AS_OF)
    snapshot = await board.subscribe([Topic.PRICES]).next()
    for number in range(100):
        told = json.loads(snapshot.text(frozenset({"SPX", f"X{number}"})))
        assert told["set"] == {"SPX": 1}
    assert snapshot.text() is snapshot.text()
    assert len(snapshot._texts) <= 20


async def test_an_empty_state_is_a_state() -> None:
    board = Board()
    subscription = board.subscribe([Topic.ORDERS])
    board.publish(Topic.ORDERS, {}, None)
    assert heard(subscription) == [(1, True, {}, [])]
    assert board.state(Topic.ORDERS) == {}


async def test_topics_are_counted_apart_and_can_be_left() -> None:
    board = Board()
    subscription = board.subscribe([Topic.PRICES, Topic.ALERTS])
    board.publish(Topic.ALERTS, {"1": "fill"}, AS_OF)
    board.publish(Topic.PRICES, {"SPX": 1}, AS_OF)
    subscription.remove(Topic.ALERTS)
    board.publish(Topic.ALERTS, {"2": "fill"}, AS_OF)
    assert [json.loads(update.text())["channel"] for update in subscription.fetch()] == ["prices"]
    subscription.add(Topic.ALERTS)
    board.publish(Topic.ALERTS, {"2": "fill"}, AS_OF)
    assert heard(subscription) == [(2, True, {"2": "fill"}, [])]


async def test_a_topic_is_kept_for_followers_only() -> None:
    board, asked = Board(), []
    board.on_follow = lambda: asked.append(board.followed)
    board.publish(Topic.ORDERS, {"a": 1}, AS_OF)
    assert board.state(Topic.ORDERS) is None
    one, two = board.subscribe([Topic.ORDERS]), board.subscribe([Topic.ORDERS])
    assert asked == [{Topic.ORDERS}, {Topic.ORDERS}]
    board.publish(Topic.ORDERS, {"a": 1}, AS_OF)
    board.subscribe([Topic.ORDERS]).close()
    assert len(asked) == 2  # the state is there: nobody has to read for the third
    one.close()
    assert board.state(Topic.ORDERS) == {"a": 1}
    two.close()
    assert (board.state(Topic.ORDERS), board.followed) == (None, frozenset())


async def test_the_slow_one_is_dropped_and_the_others_miss_nothing() -> None:
    board = Board()
    slow, quick = board.subscribe([Topic.PRICES], depth=3), board.subscribe([Topic.PRICES], depth=3)
    got = []
    for price in range(10):
        board.publish(Topic.PRICES, {"SPX": price}, AS_OF)
        got += [number for number, *_ in heard(quick)]
    assert got == list(range(1, 11))
    with pytest.raises(Dropped, match=SLOW):
        slow.fetch()
    with pytest.raises(Dropped, match=SLOW):
        await slow.next()
    quick.close()
    assert board.followed == frozenset()


async def test_whoever_waits_is_woken_by_a_change_and_by_the_end() -> None:
    board = Board()
    subscription = board.subscribe([Topic.PRICES])
    waiting = asyncio.ensure_future(subscription.next())
    await asyncio.sleep(0)
    board.publish(Topic.PRICES, {"SPX": 1}, AS_OF)
    assert (await waiting).delta.set == {"SPX": 1}
    waiting = asyncio.ensure_future(subscription.next())
    await asyncio.sleep(0)
    subscription.close()
    with pytest.raises(Dropped, match="closed"):
        await waiting


async def test_a_change_is_put_into_words_once_and_members_can_be_chosen() -> None:
    board = Board()
    one, two = board.subscribe([Topic.PRICES]), board.subscribe([Topic.PRICES])
    board.publish(Topic.PRICES, {"SPX": 1, "SPY": 2}, AS_OF)
    (update,), (same,) = one.fetch(), two.fetch()
    assert update.text() is same.text()
    only = frozenset({"SPY", "none"})
    assert update.text(only) is same.text(frozenset(only))
    told = json.loads(update.text(only))
    assert told["set"] == {"SPY": 2}
    assert (told["type"], told["channel"], told["as_of"]) == ("price_update", "prices", "2026-01-05T15:00:00Z")
    board.publish(Topic.PRICES, {"SPX": 5, "SPY": 2}, AS_OF)
    assert json.loads(one.fetch()[0].text(only))["set"] == {}  # nothing for them, and the number goes on
