"""Seconds without a guard are counted in market time."""

from __future__ import annotations

from datetime import timedelta

from tests.support import record

from htbot.desk.protection import Protection


def test_only_exposed_time_counts() -> None:
    protection, now = Protection(), record.NOON
    for exposed, market_s in ((False, 5), (True, 2), (True, 3), (False, 60)):
        now += timedelta(seconds=market_s)
        protection.look(now, exposed=exposed)
    assert protection.unprotected_s == 5.0


def test_it_is_told_when_it_has_changed() -> None:
    protection = Protection()
    protection.look(record.NOON, exposed=False)
    assert protection.to_store() is None
    protection.look(record.NOON + timedelta(seconds=1.5), exposed=True)
    assert (protection.to_store(), protection.to_store()) == ("1.5", None)
