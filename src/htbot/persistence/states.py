"""Words of the record's own life cycles, and the groups of states that keys and queries are made of."""

from __future__ import annotations

from enum import StrEnum

from htbot.domain.orders import IntentState, OrderState
from htbot.domain.trades import TradeState
from htbot.execution.states import INTENT_OVER, ORDER_OVER

TERMINAL_INTENT_STATES = tuple(state for state in IntentState if state in INTENT_OVER)
LIVE_INTENT_STATES = tuple(state for state in IntentState if state not in INTENT_OVER)
LIVE_TRADE_STATES = (TradeState.OPENING, TradeState.OPEN, TradeState.CLOSING)
TERMINAL_ORDER_STATES = tuple(state for state in OrderState if state in ORDER_OVER)


class AlertState(StrEnum):
    """Where an outbox row stands; `DEAD` has used up its attempts."""

    PENDING = "PENDING"
    SENT = "SENT"
    DEAD = "DEAD"


class CommandState(StrEnum):
    """Life of a command that a person gave."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class TaskState(StrEnum):
    """Life of one run of one task."""

    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class HaltKind(StrEnum):
    """A halt is cleared by a person only, a breaker may end with its session (RULINGS 13)."""

    HALT = "halt"
    BREAKER = "breaker"


UNSETTLED = """outcomes @? '$[*] ? (@.rule == "settlement" && @.passed == true && @.reason != "")'"""
"""Of a risk decision: it let an entry through beyond settled cash. An index holds just these."""


def sql_words(states: tuple[StrEnum, ...]) -> str:
    """The states as the inside of an SQL `IN (...)` list, in their declared order."""
    return ", ".join(f"'{state.value}'" for state in states)
