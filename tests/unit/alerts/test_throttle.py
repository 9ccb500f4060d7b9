from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.spreads import AS_OF

from htbot.alerts.throttle import may_tell


@pytest.mark.parametrize(("minutes", "allowed"), [(0, False), (14.99, False), (15, True)])
def test_one_per_15_minutes_and_type(minutes: float, allowed: bool) -> None:
    assert may_tell("connection_lost", AS_OF + timedelta(minutes=minutes), AS_OF) is allowed


def test_the_first_is_told() -> None:
    assert may_tell("error.desk", AS_OF, None)


@pytest.mark.parametrize("kind", ["trade_entry", "trade_exit"])
def test_money_that_moved_is_always_told(kind: str) -> None:
    assert may_tell(kind, AS_OF, AS_OF)
