"""Faults of single orders, each seen by a client that knows nothing but frames."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ib_async import LimitOrder, MarketOrder
from tests.support.paper_desk import errors, of_kind, statuses
from tests.support.paper_world import HandMarket, option_id
from tests.support.tws_client import spread
from tests.unit.paper.faults.conftest import STOCK, FaultyDesk, Trader

from htbot.domain.instruments import Right

OPEN_ORDER, STATUS, ERROR, EXECUTION, COMMISSION = 5, 3, 4, 11, 59
LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)


def reports(messages: list[list[str]]) -> list[str]:
    """Ids of messages about orders and executions."""
    return [fields[0] for fields in messages if fields[0] in {"3", "5", "11", "59"}]


def test_a_dropped_order_is_never_heard_of(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("drop-order")
    assert trader.buy(1) == []
    assert reports(trader.step(3)) == []
    assert reports(trader.open_orders()) == []
    assert reports(trader.executions()) == []
    assert statuses(trader.buy(1) + trader.step()) == ["PreSubmitted", "Submitted", "Filled"]


def test_the_third_order_of_a_batch_is_dropped(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("drop-order nth=3 symbol=SPY")
    told = [bool(trader.rest(number)) for number in range(1, 6)]
    assert told == [True, True, False, True, True]


def test_a_lost_reply_leaves_an_order_that_lives(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("lose-reply times=2")
    assert trader.rest(1, ref="lost") == []
    assert trader.buy(2) == []
    assert reports(trader.step(2)) == []
    (found,) = of_kind(trader.open_orders(), OPEN_ORDER)
    assert found[1] == "1"
    assert [fields[2] for fields in of_kind(trader.executions(), EXECUTION)] == ["2"]


def test_reports_begin_again_with_a_new_connection(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("lose-reply")
    trader.rest(1)
    trader.client.leave()
    again = Trader(faulty.client(1))
    assert statuses(again.cancel(1))[-1] == "Cancelled"


def test_silence_may_end_by_itself(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("lose-reply for_s=10")
    trader.rest(1)
    assert trader.rest(1, quantity=5) == []
    trader.step(3)  # the sub-step, five seconds, ten seconds
    assert statuses(trader.rest(1, quantity=6))[-1] == "Submitted"


def test_a_late_order_arrives_after_its_client_has_gone(faulty: FaultyDesk, trader: Trader) -> None:
    other = Trader(faulty.client(2))
    faulty.fault("late-order by_s=47")
    assert trader.buy(1, ref="late") == []
    trader.client.leave()
    seconds = 0
    while not of_kind(other.executions(), EXECUTION):
        other.step()
        seconds = (faulty.gateway.now - faulty.market.start).seconds
        assert seconds <= 47
    assert seconds == 47
    (order,) = faulty.gateway.book.completed()
    assert (order.ticket.ref, order.client_id, order.created_at) == ("late", 1, faulty.gateway.now)


def test_what_is_said_about_a_late_order_stays_behind_it(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("late-order by_s=30")
    assert trader.rest(1, limit=400.0) == trader.rest(1, limit=401.0) == trader.cancel(1) == []
    told = trader.step()
    assert statuses(told)[0] == "PreSubmitted"
    assert statuses(told)[-1] == "Cancelled"
    assert {"400", "401"} <= {field for fields in of_kind(told, OPEN_ORDER) for field in fields}


def test_a_late_order_of_a_client_that_stayed_is_told(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("late-order by_s=30")
    assert trader.buy(1) == []
    assert statuses(trader.step(2)) == ["PreSubmitted", "Submitted", "Filled"]


@pytest.mark.parametrize(
    ("selection", "refused"),
    [
        ("above=10", [False, True]),
        ("ref=exit-*", [False, False]),
        ("type=MKT", [True, False]),
        ("client=2", [False] * 2),
    ],
)
def test_a_rule_rejects_with_201_and_inactive(
    faulty: FaultyDesk, trader: Trader, selection: str, refused: list[bool]
) -> None:
    faulty.fault(f"reject {selection} reason=no")
    told = [trader.buy(1, quantity=10), trader.rest(2, quantity=11)]
    assert [statuses(messages)[-1] == "Inactive" for messages in told] == refused
    assert [errors(messages) for messages in told] == [
        [(number, 201)] if expected else [] for number, expected in zip((1, 2), refused, strict=True)
    ]
    for messages, expected in zip(told, refused, strict=True):
        if expected:
            assert of_kind(messages, ERROR)[0][4] == "Order rejected - reason:no"


def test_a_rejected_order_has_used_its_id(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("reject")
    trader.buy(1)
    assert errors(trader.buy(1)) == [(1, 103)]
    assert statuses(trader.buy(2) + trader.step())[-1] == "Filled"


def test_a_refused_change_leaves_the_order_as_it_was(faulty: FaultyDesk, trader: Trader) -> None:
    trader.rest(1, limit=400.0)
    faulty.fault("refuse-modify")
    assert errors(trader.rest(1, limit=401.0)) == [(1, 201)]
    (found,) = faulty.gateway.book.working
    assert found.ticket.limit == Decimal(400)
    assert statuses(trader.rest(1, limit=402.0))[-1] == "Submitted"


def test_a_refused_cancel_leaves_the_order_working(faulty: FaultyDesk, trader: Trader) -> None:
    trader.rest(1)
    faulty.fault("refuse-cancel client=1")
    assert errors(trader.cancel(1)) == [(1, 10148)]
    assert of_kind(trader.open_orders(), OPEN_ORDER)
    assert statuses(trader.cancel(1))[-1] == "Cancelled"


def test_partial_fill_then_silence(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("partial-silence fill=4 rest=hangs")
    told = trader.buy(1) + trader.step()
    assert of_kind(told, STATUS)[-1][2:5] == ["Submitted", "4", "6"]
    assert (len(of_kind(told, EXECUTION)), len(of_kind(told, COMMISSION))) == (1, 1)
    assert reports(trader.step(3)) == []
    (order,) = faulty.gateway.book.working
    assert (order.filled, order.remaining) == (4, 6)


def test_partial_fill_then_silence_while_the_rest_fills(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("partial-silence fill=4")
    assert of_kind(trader.buy(1) + trader.step(), STATUS)[-1][2:5] == ["Submitted", "4", "6"]
    assert reports(trader.step(3)) == []
    (order,) = faulty.gateway.book.completed()
    assert order.filled == 10
    assert len(of_kind(trader.executions(), EXECUTION)) == 2


def test_every_report_twice(faulty: FaultyDesk, trader: Trader) -> None:
    plain = trader.buy(1) + trader.step()
    faulty.fault("duplicate-reports")
    twice = trader.buy(2) + trader.step()
    for kind in (OPEN_ORDER, STATUS, EXECUTION, COMMISSION):
        assert len(of_kind(twice, kind)) == 2 * len(of_kind(plain, kind)) > 0
    ids = [fields[14] for fields in of_kind(twice, EXECUTION)]
    assert len(set(ids)) == 1
    assert len(of_kind(trader.executions(), EXECUTION)) == 2


def test_commissions_are_withheld_and_asked_for(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("withhold-commission")
    told = trader.buy(1) + trader.step(3)
    assert of_kind(told, EXECUTION)
    assert of_kind(told, COMMISSION) == []
    assert len(of_kind(trader.executions(), COMMISSION)) == 1


def test_commissions_come_late(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("withhold-commission for_s=45")
    told = trader.buy(1) + trader.step(2)
    assert of_kind(told, COMMISSION) == []
    late = trader.step()
    assert (faulty.gateway.now - faulty.market.start).seconds == 45
    (commission,) = of_kind(late, COMMISSION)
    assert commission[2] == of_kind(told, EXECUTION)[0][14]


def test_an_execution_is_corrected(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("correct-execution by=-0.50 after_s=20")
    (execution,) = of_kind(trader.buy(1) + trader.step(), EXECUTION)
    (corrected,) = of_kind(trader.step(), EXECUTION)
    assert corrected[14].rpartition(".")[0] == execution[14].rpartition(".")[0]
    assert corrected[14] > execution[14]
    position = execution.index("470.01")
    assert Decimal(corrected[position]) == Decimal("469.51")
    assert of_kind(trader.step(3), EXECUTION) == []
    assert [fields[14] for fields in of_kind(trader.executions(), EXECUTION)] == [corrected[14]]


def test_an_execution_is_taken_back(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("correct-execution bust=yes after_s=20")
    account = faulty.gateway.ledger.accounts[faulty.gateway.accounts[0]]
    before = account.cash_usd
    trader.buy(1)
    trader.step()
    assert account.cash_usd < before - 4000
    (busted,) = of_kind(trader.step(), EXECUTION)
    assert busted[14].endswith(".02")
    assert account.cash_usd == before


@pytest.mark.parametrize(("order", "lives"), [("accepted", 1), ("lost", 0)])
def test_the_connection_goes_with_the_order(faulty: FaultyDesk, trader: Trader, order: str, lives: int) -> None:
    faulty.fault(f"cut-on-order order={order}")
    assert trader.rest(1) == []
    assert trader.client.transport.closed
    assert len(faulty.gateway.book.working) == lives


def test_combinations_meet_faults_too(faulty: FaultyDesk, trader: Trader, market: HandMarket) -> None:
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    bag = spread((SHORT, "SELL"), (LONG, "BUY"))
    faulty.fault("reject symbol=SPX")
    assert statuses(trader.client.place(1, bag, LimitOrder("BUY", 1, -4.70)))[-1] == "Inactive"
    faulty.fault("correct-execution")
    assert statuses(trader.client.place(2, bag, MarketOrder("BUY", 1)) + trader.step())[-1] == "Filled"
    trader.step(2)


def test_what_if_is_no_order(faulty: FaultyDesk, trader: Trader) -> None:
    faulty.fault("drop-order")
    order = MarketOrder("BUY", 1, whatIf=True)
    assert of_kind(trader.client.place(1, STOCK, order), OPEN_ORDER)
    assert trader.buy(2) == []
