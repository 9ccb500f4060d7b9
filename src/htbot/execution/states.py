"""The legal moves of intents and orders (ARCHITECTURE section 7): one table each, everything else raises.

The broker's messages repeat and overtake each other, so a state answers an event that it has seen already with itself.
What the broker says wins over what was concluded: a fill that arrives after a cancel or an expiry is booked.
"""

from __future__ import annotations

from enum import StrEnum

from htbot.domain.errors import StopTrading
from htbot.domain.orders import IntentState, OrderState


class IllegalTransition(StopTrading):
    """An event met a state that cannot have it: an invariant is broken and a person has to look."""


class IntentEvent(StrEnum):
    """What happens to an intent."""

    CLAIM = "claim"  # the desk takes it
    RELEASE = "release"  # the claim's owner died before anything was sent
    SEND = "send"  # order id reserved, about to be written to the socket
    WITHDRAW = "withdraw"  # halt, flatten or age stopped it before the socket
    ACKNOWLEDGE = "acknowledge"  # the broker has the order
    DOUBT = "doubt"  # time-out, disconnect, crash, restart, ambiguous error
    FILL = "fill"  # filled in full
    CANCEL = "cancel"  # no permId of the ref works any more
    REJECT = "reject"  # refused by the broker for good
    EXPIRE = "expire"  # too old to send, GTD reached, or proved absent


class OrderEvent(StrEnum):
    """What the broker's messages say about an order (RULINGS 4)."""

    ACKNOWLEDGE = "acknowledge"
    PARTIAL_FILL = "partial_fill"
    FULL_FILL = "full_fill"
    CANCEL_PENDING = "cancel_pending"
    CANCEL = "cancel"
    REJECT = "reject"
    EXPIRE = "expire"
    DOUBT = "doubt"


_I, _IE = IntentState, IntentEvent
_O, _OE = OrderState, OrderEvent

_BROKER_SAYS: dict[IntentEvent, IntentState] = {
    _IE.ACKNOWLEDGE: _I.WORKING,
    _IE.DOUBT: _I.UNKNOWN,
    _IE.FILL: _I.FILLED,
    _IE.CANCEL: _I.CANCELLED,
    _IE.REJECT: _I.REJECTED,
    _IE.EXPIRE: _I.EXPIRED,
}

# What was concluded is not what the broker says: late fills are booked, signs of life are looked up.
_AFTER_THE_END: dict[IntentEvent, IntentState] = {
    _IE.FILL: _I.FILLED,
    _IE.ACKNOWLEDGE: _I.UNKNOWN,
    _IE.DOUBT: _I.UNKNOWN,
}

INTENT_MOVES: dict[IntentState, dict[IntentEvent, IntentState]] = {
    _I.PENDING: {_IE.CLAIM: _I.CLAIMED, _IE.WITHDRAW: _I.WITHDRAWN, _IE.EXPIRE: _I.EXPIRED},
    _I.CLAIMED: {
        _IE.RELEASE: _I.PENDING,
        _IE.SEND: _I.SENDING,
        _IE.WITHDRAW: _I.WITHDRAWN,
        _IE.EXPIRE: _I.EXPIRED,
    },
    # the halt is checked once more between the committed SENDING and the socket
    _I.SENDING: {**_BROKER_SAYS, _IE.WITHDRAW: _I.WITHDRAWN},
    _I.WORKING: _BROKER_SAYS,
    # only a close is sent again, and only under the order id that it reserved
    _I.UNKNOWN: {**_BROKER_SAYS, _IE.SEND: _I.SENDING},
    _I.FILLED: {_IE.FILL: _I.FILLED, _IE.ACKNOWLEDGE: _I.FILLED, _IE.DOUBT: _I.FILLED},
    _I.CANCELLED: {**_AFTER_THE_END, _IE.CANCEL: _I.CANCELLED, _IE.REJECT: _I.CANCELLED},
    # a refusal is definite: a fill after it breaks an invariant and raises
    _I.REJECTED: {_IE.REJECT: _I.REJECTED, _IE.ACKNOWLEDGE: _I.UNKNOWN, _IE.DOUBT: _I.UNKNOWN},
    # a request that comes after its expiry may be refused or cancelled: it stays expired
    _I.EXPIRED: {
        **_AFTER_THE_END,
        _IE.EXPIRE: _I.EXPIRED,
        _IE.CANCEL: _I.EXPIRED,
        _IE.REJECT: _I.EXPIRED,
    },
    _I.WITHDRAWN: {_IE.WITHDRAW: _I.WITHDRAWN},
}

_ANY_NEWS: dict[OrderEvent, OrderState] = {
    _OE.ACKNOWLEDGE: _O.SUBMITTED,
    _OE.PARTIAL_FILL: _O.PARTIAL,
    _OE.FULL_FILL: _O.FILLED,
    _OE.CANCEL_PENDING: _O.PENDING_CANCEL,
    _OE.CANCEL: _O.CANCELLED,
    _OE.REJECT: _O.REJECTED,
    _OE.EXPIRE: _O.EXPIRED,
    _OE.DOUBT: _O.UNKNOWN,
}


def _over(state: OrderState) -> dict[OrderEvent, OrderState]:
    """Moves of an order that ended without filling: late fills are booked, signs of life are looked up."""
    return {
        _OE.CANCEL: state,
        _OE.EXPIRE: state,
        _OE.REJECT: state,
        _OE.CANCEL_PENDING: state,
        _OE.PARTIAL_FILL: state,
        _OE.FULL_FILL: _O.FILLED,
        _OE.ACKNOWLEDGE: _O.UNKNOWN,
        _OE.DOUBT: _O.UNKNOWN,
    }


ORDER_MOVES: dict[OrderState, dict[OrderEvent, OrderState]] = {
    _O.SENDING: _ANY_NEWS,
    _O.SUBMITTED: _ANY_NEWS,
    _O.UNKNOWN: _ANY_NEWS,
    # the broker repeats "Submitted" while fills come in
    _O.PARTIAL: {**_ANY_NEWS, _OE.ACKNOWLEDGE: _O.PARTIAL},
    # repeats that were under way when the cancel was asked do not undo it; a refused cancel arrives as DOUBT
    _O.PENDING_CANCEL: {**_ANY_NEWS, _OE.ACKNOWLEDGE: _O.PENDING_CANCEL, _OE.PARTIAL_FILL: _O.PENDING_CANCEL},
    _O.FILLED: dict.fromkeys(
        (_OE.FULL_FILL, _OE.PARTIAL_FILL, _OE.ACKNOWLEDGE, _OE.CANCEL_PENDING, _OE.DOUBT), _O.FILLED
    ),
    _O.CANCELLED: _over(_O.CANCELLED),
    _O.EXPIRED: _over(_O.EXPIRED),
    _O.REJECTED: {_OE.REJECT: _O.REJECTED, _OE.CANCEL: _O.REJECTED, _OE.ACKNOWLEDGE: _O.UNKNOWN, _OE.DOUBT: _O.UNKNOWN},
}

INTENT_OVER = frozenset({_I.FILLED, _I.CANCELLED, _I.REJECTED, _I.EXPIRED, _I.WITHDRAWN})
ORDER_OVER = frozenset({_O.FILLED, _O.CANCELLED, _O.REJECTED, _O.EXPIRED})

_INTENT_OF_ORDER: dict[OrderState, IntentEvent] = {
    _O.SUBMITTED: _IE.ACKNOWLEDGE,
    _O.PARTIAL: _IE.ACKNOWLEDGE,
    _O.PENDING_CANCEL: _IE.ACKNOWLEDGE,
    _O.UNKNOWN: _IE.DOUBT,
    _O.FILLED: _IE.FILL,
    _O.CANCELLED: _IE.CANCEL,
    _O.REJECTED: _IE.REJECT,
    _O.EXPIRED: _IE.EXPIRE,
}


def next_intent_state(state: IntentState, event: IntentEvent) -> IntentState:
    """The state after an event.

    Raises:
        IllegalTransition: the table has no such move.
    """
    try:
        return INTENT_MOVES[state][event]
    except KeyError:
        raise IllegalTransition(f"intent in state {state} cannot have the event {event}") from None


def next_order_state(state: OrderState, event: OrderEvent) -> OrderState:
    """The state after an event.

    Raises:
        IllegalTransition: the table has no such move.
    """
    try:
        return ORDER_MOVES[state][event]
    except KeyError:
        raise IllegalTransition(f"order in state {state} cannot have the event {event}") from None


def intent_event_for(order: OrderState) -> IntentEvent | None:
    """What an order's state means for its intent while one permId carries the ref; None while it is being sent."""
    return _INTENT_OF_ORDER.get(order)
