from __future__ import annotations

import pytest
from tests.support.spreads import LEGS, LONG, SHORT, entry_fills, exit_fills, fill, intent

from htbot.domain.errors import StopTrading
from htbot.domain.orders import Action, Purpose
from htbot.execution.fills import check_fills, whole_spreads


def test_a_spread_is_whole_when_both_legs_are_there() -> None:
    first, second = entry_fills()
    assert whole_spreads(LEGS, [first]) == 0
    assert whole_spreads(LEGS, [first, second, second]) == 1


def test_what_was_asked_for_passes() -> None:
    check_fills(intent(), entry_fills())
    check_fills(intent(Purpose.EXIT), exit_fills())


@pytest.mark.ruling(15)
def test_rulings_15_more_than_the_intent_stops_at_once() -> None:
    twice = [*entry_fills(), fill("e9.01.01", SHORT, Action.SELL, "6.10")]
    with pytest.raises(StopTrading, match="-2 of 11 filled, -1 asked for"):
        check_fills(intent(), twice)


def test_the_wrong_side_stops() -> None:
    with pytest.raises(StopTrading, match="was not asked for"):
        check_fills(intent(), [fill("e9.01.01", LONG, Action.SELL, "1.90")])
