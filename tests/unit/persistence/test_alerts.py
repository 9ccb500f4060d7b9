from __future__ import annotations

import pytest

from htbot.persistence.repositories.alerts import MOST_ATTEMPTS, back_off


@pytest.mark.parametrize(("attempts", "pause_s"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (200, 300)])
def test_the_pause_doubles_up_to_five_minutes(attempts: int, pause_s: int) -> None:
    assert back_off(attempts).total_seconds() == pause_s


def test_delivery_is_tried_for_half_a_day_at_least() -> None:
    pauses = [back_off(attempts) for attempts in range(1, MOST_ATTEMPTS)]
    assert sum(pause.total_seconds() for pause in pauses) > 12 * 3600
