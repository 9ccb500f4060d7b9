from __future__ import annotations

from htbot.domain.orders import IntentState
from htbot.execution.states import INTENT_MOVES, INTENT_OVER
from htbot.persistence.states import LIVE_INTENT_STATES, TERMINAL_INTENT_STATES, sql_words


def test_every_intent_is_live_or_over() -> None:
    assert set(LIVE_INTENT_STATES) | set(TERMINAL_INTENT_STATES) == set(IntentState) == set(INTENT_MOVES)
    assert not set(LIVE_INTENT_STATES) & set(TERMINAL_INTENT_STATES)
    assert set(TERMINAL_INTENT_STATES) == INTENT_OVER


def test_predicates_of_indexes_spell_states_in_declared_order() -> None:
    assert sql_words(LIVE_INTENT_STATES) == "'PENDING', 'CLAIMED', 'SENDING', 'WORKING', 'UNKNOWN'"
