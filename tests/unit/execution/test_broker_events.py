from __future__ import annotations

import pytest

from htbot.execution.broker_events import (
    Asked,
    ConnectionEvent,
    Meaning,
    OrderReport,
    connection_event,
    event_of_error,
    event_of_status,
    meaning_of_error,
)
from htbot.execution.states import OrderEvent

REJECTED, CANCELLED, AMBIGUOUS, INFORMATIONAL = (
    Meaning.REJECTED,
    Meaning.CANCELLED,
    Meaning.AMBIGUOUS,
    Meaning.INFORMATIONAL,
)


@pytest.mark.fault(30)
@pytest.mark.parametrize(
    ("code", "place", "modify", "cancel"),
    [
        (100, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (103, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (104, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (105, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (110, REJECTED, AMBIGUOUS, AMBIGUOUS),
        (135, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (161, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (200, REJECTED, AMBIGUOUS, AMBIGUOUS),
        (201, REJECTED, AMBIGUOUS, AMBIGUOUS),
        (202, CANCELLED, CANCELLED, CANCELLED),
        (203, REJECTED, AMBIGUOUS, AMBIGUOUS),
        (320, REJECTED, AMBIGUOUS, AMBIGUOUS),
        (321, REJECTED, AMBIGUOUS, AMBIGUOUS),
        (322, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (399, INFORMATIONAL, INFORMATIONAL, INFORMATIONAL),
        (434, REJECTED, AMBIGUOUS, AMBIGUOUS),
        (460, REJECTED, AMBIGUOUS, AMBIGUOUS),
        (502, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (504, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (2109, INFORMATIONAL, INFORMATIONAL, INFORMATIONAL),
        (2161, INFORMATIONAL, INFORMATIONAL, INFORMATIONAL),
        (10147, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (10148, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
        (999_999, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS),
    ],
)
def test_faults_30_each_code_is_definitive_or_ambiguous(
    code: int, place: Meaning, modify: Meaning, cancel: Meaning
) -> None:
    assert [meaning_of_error(code, asked) for asked in Asked] == [place, modify, cancel]


@pytest.mark.ruling(4)
def test_rulings_4_a_refused_modification_is_doubt_not_the_end() -> None:
    assert event_of_error(201, Asked.PLACE) is OrderEvent.REJECT
    assert event_of_error(201, Asked.MODIFY) is OrderEvent.DOUBT
    assert event_of_error(202, Asked.CANCEL) is OrderEvent.CANCEL
    assert event_of_error(10148, Asked.CANCEL) is OrderEvent.DOUBT
    assert event_of_error(399, Asked.PLACE) is None


@pytest.mark.parametrize(
    ("report", "event"),
    [
        (OrderReport("PendingSubmit", 0, 1), None),
        (OrderReport("ApiPending", 0, 1), None),
        (OrderReport("PreSubmitted", 0, 1), OrderEvent.ACKNOWLEDGE),
        (OrderReport("Submitted", 0, 2), OrderEvent.ACKNOWLEDGE),
        (OrderReport("Submitted", 1, 1), OrderEvent.PARTIAL_FILL),
        (OrderReport("Filled", 2, 0), OrderEvent.FULL_FILL),
        (OrderReport("Filled", 1, 1), OrderEvent.PARTIAL_FILL),
        (OrderReport("PendingCancel", 0, 1), OrderEvent.CANCEL_PENDING),
        (OrderReport("Cancelled", 0, 1), OrderEvent.CANCEL),
        (OrderReport("ApiCancelled", 0, 1), OrderEvent.CANCEL),
        (OrderReport("Cancelled", 0, 1, expired=True), OrderEvent.EXPIRE),
        (OrderReport("Inactive", 0, 1, last_error=201), OrderEvent.REJECT),
        (OrderReport("Inactive", 0, 1, last_error=399), OrderEvent.DOUBT),
        (OrderReport("Inactive", 0, 1), OrderEvent.DOUBT),
        (OrderReport("Sleeping", 0, 1), OrderEvent.DOUBT),
    ],
)
def test_status(report: OrderReport, event: OrderEvent | None) -> None:
    assert event_of_status(report) is event


@pytest.mark.fault(30)
@pytest.mark.parametrize(
    ("code", "event"),
    [
        (1100, ConnectionEvent.LOST),
        (1101, ConnectionEvent.RESTORED_RESUBSCRIBE),
        (1102, ConnectionEvent.RESTORED),
        (1300, ConnectionEvent.SOCKET_RESET),
        (2103, ConnectionEvent.FARM_BROKEN),
        (2104, ConnectionEvent.FARM_OK),
        (2108, ConnectionEvent.FARM_IDLE),
        (2110, ConnectionEvent.LOST),
        (326, ConnectionEvent.CLIENT_ID_IN_USE),
        (10197, ConnectionEvent.COMPETING_SESSION),
        (201, None),
    ],
)
def test_connection(code: int, event: ConnectionEvent | None) -> None:
    assert connection_event(code) is event
