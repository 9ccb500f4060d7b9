"""Connections that break, sessions that go deaf, restarts with ids that go back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.paper_desk import errors, of_kind, statuses
from tests.support.paper_world import SESSIONS
from tests.unit.paper.faults.conftest import FaultyDesk, Trader

NEXT_ID = 9


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_client_is_disconnected_at_its_time(faulty: FaultyDesk, trader: Trader, how: str) -> None:
    other = faulty.client(2, stepped=False)
    faulty.fault(f"disconnect client=1 how={how} at=10:00:17")
    trader.step()
    assert faulty.gateway.now.second == 17
    assert trader.client.transport.closed
    assert not other.transport.closed


def test_a_half_open_client_hears_nothing_and_keeps_its_id(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("half-open client=1 for_s=40")
    assert trader.buy(1) == []
    assert trader.open_orders() == []
    assert not trader.client.transport.closed
    assert errors(faulty.client(1).first) == [(-1, 326)]
    other = Trader(faulty.client(2))
    other.step(2)
    assert faulty.gateway.now.second == 40
    assert trader.client.transport.closed


def test_a_deaf_client_is_not_waited_for(faulty: FaultyDesk, trader: Trader) -> None:
    other = Trader(faulty.client(2))
    assert other.step() == []
    faulty.fault("half-open client=1")
    assert len(of_kind(other.take(), 49)) == 1


def test_a_restart_closes_every_socket_and_shuts_the_door(faulty: FaultyDesk, trader: Trader) -> None:
    other = faulty.client(2)
    faulty.fault("restart for_s=7")
    assert trader.client.transport.closed
    assert other.transport.closed
    assert faulty.shut == [7.0]
    assert faulty.gateway.sessions == {}


def test_an_event_of_the_night_happens_at_its_time(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.gateway.move_to(SESSIONS.all()[0].closes + timedelta(minutes=10))
    faulty.fault("restart at=23:45 daily=yes")
    trader.step()
    assert trader.client.transport.closed
    assert faulty.gateway.now == SESSIONS.all()[0].at(23, 45)
    (row,) = faulty.board.rows()
    assert (row["from"], row["met"], row["state"]) == ("2024-01-04T04:45:00+00:00", 1, "armed")


def test_next_valid_id_goes_back_and_used_ids_stay_used(faulty: FaultyDesk, trader: Trader) -> None:
    for number in range(1, 11):
        trader.rest(number)
    faulty.fault("restart ids_back=4")
    again = Trader(faulty.client(1))
    assert of_kind(again.client.first, NEXT_ID) == [["9", "1", "7"]]
    assert of_kind(again.ask(8, 1, 1), NEXT_ID) == [["9", "1", "7"]]
    again.cancel(7)
    assert errors(again.buy(7)) == [(7, 103)]
    assert statuses(again.buy(11))
    assert of_kind(again.ask(8, 1, 1), NEXT_ID) == [["9", "1", "12"]]


def test_ids_that_went_back_are_remembered_by_a_killed_gateway(faulty: FaultyDesk, trader: Trader) -> None:
    trader.rest(1)
    trader.rest(2)
    faulty.fault("restart ids_back=1")
    faulty.kill_and_open()
    assert of_kind(faulty.client(1).first, NEXT_ID) == [["9", "1", "2"]]
    assert of_kind(faulty.client(3).first, NEXT_ID) == [["9", "1", "1"]]


def test_status_tells_what_is_in_force(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("lose-reply")
    trader.rest(1)
    faulty.client(2)
    faulty.fault("half-open client=2")
    told = faulty.board.status()
    assert (told["link"], told["clients"], told["half_open"]) == ("up", [1, 2], [2])
    assert len(told["silent_orders"]) == 1


def test_with_nothing_armed_nothing_is_kept_or_asked(faulty: FaultyDesk, trader: Trader) -> None:
    trader.buy(1)
    trader.step(2)
    assert not faulty.gateway.faults.in_force
    assert faulty.gateway.store.meta("faults") is None
    faulty.fault("drop-order at=10:30")
    faulty.board.clear(1)
    trader.step()
    assert not faulty.gateway.faults.in_force
