"""What IB's order statuses and error codes mean (TWS_PROTOCOL section 7, FAULTS row 30).

A code is definitive only where it proves what became of the order. Everything else is doubt: the order's state is
UNKNOWN and is looked up by its ref (RULINGS 4), never guessed and never sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from htbot.execution.states import OrderEvent


class Asked(StrEnum):
    """What we had asked of the order when the message came."""

    PLACE = "place"
    MODIFY = "modify"
    CANCEL = "cancel"


class Meaning(StrEnum):
    """How much an error code proves about an order."""

    REJECTED = "rejected"
    CANCELLED = "cancelled"
    AMBIGUOUS = "ambiguous"
    INFORMATIONAL = "informational"


class ConnectionEvent(StrEnum):
    """What a code without an order says about the session."""

    LOST = "lost"
    RESTORED_RESUBSCRIBE = "restored_resubscribe"
    RESTORED = "restored"
    SOCKET_RESET = "socket_reset"
    FARM_BROKEN = "farm_broken"
    FARM_OK = "farm_ok"
    FARM_IDLE = "farm_idle"
    COMPETING_SESSION = "competing_session"
    CLIENT_ID_IN_USE = "client_id_in_use"


# Refusals of a new order: it never worked and never will.
REJECTIONS = frozenset({110, 200, 201, 203, 320, 321, 434, 460})
CANCELLED = 202
# Warnings that leave the order alone: held until the open, attributes adjusted, outsideRth ignored.
ORDER_WARNINGS = frozenset({165, 399, 404, 492, 10167, 10349})

# A competing session and farms that are down: prices cannot be trusted, and a person can do something about it.
DATA_TROUBLE = frozenset({10197, 2103, 2105, 2157})

CONNECTION_EVENTS: dict[int, ConnectionEvent] = {
    326: ConnectionEvent.CLIENT_ID_IN_USE,
    1100: ConnectionEvent.LOST,
    1101: ConnectionEvent.RESTORED_RESUBSCRIBE,
    1102: ConnectionEvent.RESTORED,
    1300: ConnectionEvent.SOCKET_RESET,
    2103: ConnectionEvent.FARM_BROKEN,
    2104: ConnectionEvent.FARM_OK,
    2105: ConnectionEvent.FARM_BROKEN,
    2106: ConnectionEvent.FARM_OK,
    2107: ConnectionEvent.FARM_IDLE,
    2108: ConnectionEvent.FARM_IDLE,
    2110: ConnectionEvent.LOST,
    2157: ConnectionEvent.FARM_BROKEN,
    2158: ConnectionEvent.FARM_OK,
    10197: ConnectionEvent.COMPETING_SESSION,
}

_STATUS_EVENTS: dict[str, OrderEvent | None] = {
    # made by the client or not acknowledged yet: no news
    "PendingSubmit": None,
    "ApiPending": None,
    "PreSubmitted": OrderEvent.ACKNOWLEDGE,
    "Submitted": OrderEvent.ACKNOWLEDGE,
    "PendingCancel": OrderEvent.CANCEL_PENDING,
    "ApiCancelled": OrderEvent.CANCEL,
    "Cancelled": OrderEvent.CANCEL,
}


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One orderStatus with what we know beside it.

    `last_error` is the last error code that came with the order's id. `expired` says that the order was good till a
    time that has passed and that nobody asked for its cancel.
    """

    status: str
    filled: int
    remaining: int
    last_error: int | None = None
    expired: bool = False


def event_of_status(report: OrderReport) -> OrderEvent | None:
    """The event in an orderStatus; None when it carries no news. An unheard-of status is doubt."""
    if report.status == "Filled":
        return OrderEvent.FULL_FILL if report.remaining == 0 else OrderEvent.PARTIAL_FILL
    if report.status == "Inactive":
        # rejected, or held at the broker: only the code tells
        return OrderEvent.REJECT if report.last_error in REJECTIONS else OrderEvent.DOUBT
    event = _STATUS_EVENTS.get(report.status, OrderEvent.DOUBT)
    if event is OrderEvent.CANCEL and report.expired:
        return OrderEvent.EXPIRE
    if event is OrderEvent.ACKNOWLEDGE and report.filled > 0:
        return OrderEvent.FULL_FILL if report.remaining == 0 else OrderEvent.PARTIAL_FILL
    return event


def meaning_of_error(code: int, asked: Asked, *, worked: bool = False) -> Meaning:
    """What a code that carries an order's id proves, given what had been asked of the order and whether it has worked.

    A refusal of a modification (104, 105) or of a cancel (135, 161, 10147, 10148) says nothing about the order itself,
    which may well be working; 103 says that the id was used, perhaps by our own order whose reply was lost. An order
    that has worked is not new: what is refused may be its own request, come a second time, which is a modification.
    """
    if code in ORDER_WARNINGS or 2100 <= code <= 2199:
        return Meaning.INFORMATIONAL
    if code == CANCELLED:
        return Meaning.CANCELLED
    if code in REJECTIONS and asked is Asked.PLACE and not worked:
        return Meaning.REJECTED
    return Meaning.AMBIGUOUS


_ERROR_EVENTS: dict[Meaning, OrderEvent | None] = {
    Meaning.REJECTED: OrderEvent.REJECT,
    Meaning.CANCELLED: OrderEvent.CANCEL,
    Meaning.AMBIGUOUS: OrderEvent.DOUBT,
    Meaning.INFORMATIONAL: None,
}


def event_of_error(code: int, asked: Asked, *, worked: bool = False) -> OrderEvent | None:
    """The event in an error that carries an order's id; None for a mere warning."""
    return _ERROR_EVENTS[meaning_of_error(code, asked, worked=worked)]


def connection_event(code: int) -> ConnectionEvent | None:
    """What a code says about the session; None when it is about something else."""
    return CONNECTION_EVENTS.get(code)
