from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import ib_async as ib
import pytest
from tests.support.record import ACCOUNT, NOON

from htbot.adapters.ib.wrapper import SessionMessage, TellingWrapper
from htbot.execution.messages import (
    BagExecutionMessage,
    CommissionMessage,
    ErrorMessage,
    LegExecutionMessage,
    OpenOrderMessage,
    OrderStatusMessage,
)
from htbot.marketdata.messages import ConnectionMessage, LineMessage, TimeMessage

BAG = ib.Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD")
PUT = ib.Option("SPX", "20220826", 4150.0, "P", "SMART", "100", "USD", conId=11)


@pytest.fixture
async def told() -> tuple[TellingWrapper, list[SessionMessage]]:
    messages: list[SessionMessage] = []
    broker = ib.IB()
    wrapper = TellingWrapper(broker)
    wrapper.attach(messages.append)
    wrapper.clientId = 7
    broker.wrapper = wrapper
    return wrapper, messages


Told = tuple[TellingWrapper, list[SessionMessage]]


def execution(exec_id: str, **changes: object) -> ib.Execution:
    values: dict[str, object] = {
        "execId": exec_id,
        "time": NOON,
        "acctNumber": ACCOUNT,
        "side": "BOT",
        "shares": 1.0,
        "price": -4.25,
        "permId": 900,
        "clientId": 7,
        "orderId": 50,
        "cumQty": 1.0,
        "orderRef": "htbot-x",
    }
    return ib.Execution(**{**values, **changes})


async def test_a_status_is_told_as_it_came(told: Told) -> None:
    wrapper, messages = told
    wrapper.orderStatus(50, "Submitted", 0.0, 1.0, 0.0, 900, 0, 0.0, 7, "locate")
    wrapper.orderStatus(50, "Filled", 1.0, 0.0, -4.25, 900, 0, -4.25, 7, "", 0.0)
    assert messages == [
        OrderStatusMessage(50, 7, 900, "Submitted", 0, 1, Decimal("0.0"), "locate"),
        OrderStatusMessage(50, 7, 900, "Filled", 1, 0, Decimal("-4.25"), ""),
    ]


async def test_an_open_order_is_told_and_a_what_if_is_not(told: Told) -> None:
    wrapper, messages = told
    order = ib.LimitOrder("BUY", 1, -4.2, orderId=50, clientId=7, permId=900, orderRef="htbot-x", account=ACCOUNT)
    wrapper.openOrder(50, BAG, order, ib.OrderState(status="Submitted"))
    margins = dict.fromkeys(("initMarginChange", "maintMarginChange", "equityWithLoanChange"), "1.0")
    what_if = ib.OrderState(status="PreSubmitted", commission=1.0, **margins)
    wrapper.openOrder(51, BAG, ib.LimitOrder("BUY", 1, -4.2, whatIf=True), what_if)
    assert messages == [OpenOrderMessage("htbot-x", 50, 7, 900, ACCOUNT, "Submitted", Decimal("-4.2"), 1)]


async def test_executions_of_the_combination_and_of_a_leg_are_told_apart(told: Told) -> None:
    """RULINGS 3."""
    wrapper, messages = told
    wrapper.execDetails(-1, BAG, execution("1.00.01"))
    wrapper.execDetails(-1, PUT, execution("1.01.01", side="SLD", price=6.25))
    bag, leg = messages
    assert bag == BagExecutionMessage("1.00.01", "htbot-x", 50, 900, 1, 1, Decimal("-4.25"), NOON)
    assert isinstance(leg, LegExecutionMessage)
    assert (leg.fill.con_id, leg.fill.signed_quantity, leg.fill.price) == (11, -1, Decimal("6.25"))
    assert (leg.order_id, leg.client_id) == (50, 7)


async def test_a_commission_is_told_once_it_is_a_number(told: Told) -> None:
    wrapper, messages = told
    wrapper.commissionReport(ib.CommissionReport(execId="1.01.01", commission=1.7976931348623157e308))
    wrapper.commissionReport(ib.CommissionReport(execId="1.01.01", commission=1.23))
    assert messages == [CommissionMessage("1.01.01", Decimal("1.23"))]


async def test_the_time_is_aware(told: Told) -> None:
    wrapper, messages = told
    wrapper.currentTime(int(NOON.timestamp()))
    assert messages == [TimeMessage(datetime(2022, 8, 26, 16, 0, tzinfo=UTC))]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (1100, ConnectionMessage(connected=False, code=1100, text="so")),
        (2110, ConnectionMessage(connected=False, code=2110, text="so")),
        (10197, ErrorMessage(-1, 10197, "so")),
        (1101, ConnectionMessage(connected=True, code=1101, text="so", data_lost=True)),
        (1102, ConnectionMessage(connected=True, code=1102, text="so")),
        (2104, ErrorMessage(-1, 2104, "so")),
        (504, ErrorMessage(-1, 504, "so")),
    ],
)
async def test_what_is_said_of_the_session_is_apart_from_errors(told: Told, code: int, message: SessionMessage) -> None:
    wrapper, messages = told
    wrapper.error(-1, code, "so", "")
    assert messages == [message]


async def test_an_error_with_an_orders_id_is_told_raw(told: Told) -> None:
    """RULINGS 4: ib_async concludes "Cancelled" from it; the desk does not hear that."""
    wrapper, messages = told
    wrapper.error(50, 201, "Order rejected", "")
    assert messages == [ErrorMessage(50, 201, "Order rejected")]


async def test_the_answer_to_a_what_if_ends_the_request_and_is_told_to_nobody(told: Told) -> None:
    """ib_async itself waits for ever when the broker leaves the margins out."""
    wrapper, messages = told
    unset = "1.7976931348623157E308"
    state = ib.OrderState(status="PreSubmitted", initMarginChange=unset, initMarginAfter=unset)
    asked = wrapper.startReq(50)
    wrapper.openOrder(50, BAG, ib.Order(orderId=50, clientId=7, whatIf=True), state)
    assert (await asked).initMarginAfter == unset
    assert messages == []


@pytest.mark.parametrize("code", [101, 200, 321, 354, 10089, 10168, 10186])
async def test_what_ends_a_line_names_its_contract(told: Told, code: int) -> None:
    wrapper, messages = told
    wrapper.startTicker(1_000_000_001, PUT, "mktData")  # type: ignore[no-untyped-call]
    wrapper.error(1_000_000_001, code, "no quotes", "")
    wrapper.error(50, code, "no order", "")
    assert messages == [LineMessage(11, f"{code} no quotes"), ErrorMessage(50, code, "no order")]


async def test_a_line_that_is_served_in_part_goes_on(told: Told) -> None:
    wrapper, messages = told
    wrapper.startTicker(1_000_000_001, PUT, "mktData")  # type: ignore[no-untyped-call]
    wrapper.error(1_000_000_001, 10090, "part of it is not subscribed", "")
    assert messages == [ErrorMessage(1_000_000_001, 10090, "part of it is not subscribed")]
