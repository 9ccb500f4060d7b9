"""The link to IB goes and comes back: 1100, then 1101 or 1102, with fills in between."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from ib_async import LimitOrder
from tests.support.paper_desk import Messages, errors, of_kind, statuses
from tests.support.paper_world import SESSIONS, SPY, START, HandMarket
from tests.unit.paper.faults.conftest import STOCK, FaultyDesk, Trader

OPEN_ORDER, STATUS, EXECUTION, TICK, NEXT_ID = 5, 3, 11, 1, 9
DOWN = [1100, 2110, 2103, 2103, 2105, 2157]
UP = [2104, 2104, 2106, 2158]


def notes(messages: Messages) -> list[int]:
    """Codes that are about no request."""
    return [int(fields[3]) for fields in of_kind(messages, 4) if fields[2] == "-1"]


def falling(market: HandMarket, at_s: int, bid: float, ask: float) -> None:
    """The quote of SPY changes at a second after the start and back thirty seconds later."""

    def quoted(at: object) -> None:
        gone = (at - START).total_seconds()  # type: ignore[operator]
        market.quotes[SPY] = (bid, ask) if at_s <= gone < at_s + 30 else (469.99, 470.01)

    market.quote_hook = quoted


@pytest.mark.parametrize(("data", "code"), [("kept", 1102), ("lost", 1101)])
def test_notes_and_data(faulty: FaultyDesk, trader: Trader, data: str, code: int) -> None:
    trader.watch()
    faulty.fault(f"outage for_s=60 data={data}")
    assert notes(trader.take()) == DOWN
    silent = trader.step()
    assert (notes(silent), of_kind(silent, TICK)) == ([], [])
    assert notes(trader.step()) == [code, *UP]
    assert (faulty.gateway.now - START).total_seconds() == 60
    session = faulty.gateway.sessions[1]
    assert bool(session.lines) is (data == "kept")
    assert of_kind(trader.watch(6), TICK)


@pytest.mark.parametrize(("fills", "told"), [("told", 1), ("learned", 0)])
def test_fills_in_between_are_known_afterwards(
    faulty: FaultyDesk, trader: Trader, market: HandMarket, fills: str, told: int
) -> None:
    trader.rest(1, limit=460.0)
    trader.step()
    falling(market, 20, 449.99, 450.01)
    faulty.fault(f"outage for_s=90 fills={fills}")
    trader.take()
    during = [message for _ in range(17) for message in trader.step()]
    assert of_kind(during, EXECUTION) == of_kind(during, STATUS) == []
    assert of_kind(trader.executions(), EXECUTION) == []
    assert of_kind(trader.open_orders(), OPEN_ORDER)
    back = trader.step()
    assert notes(back)[0] == 1102
    assert len(of_kind(back, EXECUTION)) == told
    if told:
        assert [fields[0] for fields in back].index("11") > [fields[3:4] for fields in back].index(["1102"])
    assert len(of_kind(trader.executions(), EXECUTION)) == 1
    assert of_kind(trader.open_orders(), OPEN_ORDER) == []
    (execution,) = faulty.gateway.book.executions
    assert 20 <= (execution.at - START).total_seconds() < 50


def test_orders_wait_for_the_link(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("outage for_s=30")
    trader.take()
    assert trader.buy(1) == []
    assert faulty.board.status()["held_requests"] == 1
    assert statuses(trader.step() + trader.step()) == ["PreSubmitted", "Submitted", "Filled"]


def test_orders_may_be_refused(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("outage for_s=30 orders=refused")
    trader.take()
    assert errors(trader.buy(1)) == [(1, 1100)]
    assert of_kind(trader.step() + trader.step(), STATUS) == []


def test_a_cancel_that_waited_may_come_too_late(faulty: FaultyDesk, trader: Trader, market: HandMarket) -> None:
    trader.rest(1, limit=460.0)
    trader.step()
    falling(market, 10, 449.99, 450.01)
    faulty.fault("outage for_s=30")
    trader.take()
    assert trader.cancel(1) == []
    back = [message for _ in range(6) for message in trader.step()]
    assert statuses(back)[-1] == "Filled"
    assert errors([fields for fields in back if fields[2] != "-1"]) == [(1, 10148)]


def test_who_joins_meanwhile_is_told_of_broken_farms(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("outage for_s=30")
    joined = faulty.client(2)
    assert notes(joined.first) == DOWN[1:]
    assert of_kind(joined.first, NEXT_ID)


def test_data_requests_wait_and_are_forgotten_with_their_client(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("outage for_s=30")
    assert of_kind(trader.watch(), TICK) == []
    trader.client.leave()
    again = Trader(faulty.client(1))
    assert of_kind(again.step(), TICK) == []
    assert faulty.gateway.sessions[1].lines == {}


def test_a_kill_in_the_middle_of_an_outage_loses_nothing(
    faulty: FaultyDesk, trader: Trader, market: HandMarket
) -> None:
    trader.rest(1, limit=460.0)
    trader.step()
    falling(market, 20, 449.99, 450.01)
    faulty.fault("outage for_s=90")
    trader.take()
    assert trader.client.place(2, STOCK, LimitOrder("BUY", 1, 400.0)) == []
    for _ in range(10):
        trader.step()
    faulty.kill_and_open()
    again = Trader(faulty.client(1))
    assert faulty.gateway.faults.link_down
    while faulty.gateway.faults.link_down:
        again.step()
    assert (faulty.gateway.now - START).total_seconds() == 90
    (execution,) = faulty.gateway.book.executions
    assert (execution.at - START).total_seconds() == 20
    assert [order.order_id for order in faulty.gateway.book.working] == [2]


def test_clearing_everything_ends_an_outage(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("outage for_s=600")
    trader.take()
    faulty.board.clear(None)
    assert notes(trader.take()) == [1102, *UP]


def test_an_outage_within_an_outage_only_lengthens_it(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("outage for_s=30")
    faulty.fault("outage for_s=60 data=lost")
    assert notes(trader.take()) == DOWN
    assert notes(trader.step()) == []
    assert notes(trader.step()) == [1102, *UP]


def test_what_waits_is_bounded(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("outage for_s=30")
    trader.take()
    told = [errors(trader.watch(number)) for number in range(1, 1003)]
    assert told[:1000] == [[]] * 1000
    assert told[1000:] == [[(1001, 1100)], [(1002, 1100)]]


def test_an_outage_over_night_misses_no_open_and_no_close(
    faulty: FaultyDesk, trader: Trader, market: HandMarket
) -> None:
    trader.rest(1, limit=460.0)
    trader.client.place(2, STOCK, LimitOrder("BUY", 1, 465.0, tif="GTC"))
    morning = SESSIONS.all()[1].opens

    def quoted(at: datetime) -> None:
        market.quotes[SPY] = (449.99, 450.01) if at >= morning else (469.99, 470.01)

    market.quote_hook = quoted
    faulty.fault(f"outage for_s={24 * 3600}")
    trader.take()
    faulty.gateway.play(START + timedelta(days=1))
    faulty.gateway.turn_done()
    day, good_till_cancelled = faulty.gateway.book.orders()
    assert (day.status, day.filled) == ("Cancelled", 0)
    assert good_till_cancelled.completed_at is not None
    assert morning <= good_till_cancelled.completed_at < morning + timedelta(seconds=10)


def test_a_script_makes_the_same_day_twice(faulty: FaultyDesk, market: HandMarket, tmp_path: Path) -> None:
    script = tmp_path / "day.yaml"
    script.write_text("- {fault: outage, at: '10:01', for_s: 47}\n- {fault: drop-order, nth: 2}\n")

    def day(folder: str) -> bytes:
        desk = FaultyDesk(tmp_path / folder, market, faulty.config)
        desk.follow(script)
        trader = Trader(desk.client(1))
        trader.watch()
        for number in range(1, 5):
            trader.rest(number)
            trader.step(8)
        assert desk.gateway.now > START + timedelta(seconds=107)
        return bytes(trader.client.transport.written)

    assert day("one") == day("two")
