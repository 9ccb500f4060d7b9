"""FAULTS 42: what stands before the wire when a strategy has lost its mind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.spreads import AS_OF, LEGS, LONG, SHORT

from htbot.domain.orders import Action
from htbot.risk.flood import EntryFlood, FloodLimits, fingerprint


@pytest.mark.fault(42)
def test_of_a_thousand_signals_in_a_second_ten_are_sent() -> None:
    flood = EntryFlood(FloodLimits())
    answers = [
        flood.refusal("one", f"order {number}", AS_OF + timedelta(milliseconds=number)) for number in range(1000)
    ]
    assert answers[:10] == [None] * 10
    assert set(answers[10:]) == {"10 entries within a minute, limit 10"}


@pytest.mark.fault(42)
def test_of_the_same_order_two_are_sent() -> None:
    flood = EntryFlood(FloodLimits())
    answers = [flood.refusal("one", "the same", AS_OF + timedelta(milliseconds=number)) for number in range(1000)]
    assert [answer for answer in answers if answer is None] == [None, None]
    assert answers[2] == "the same entry 2 times within 60 s, limit 2"


def test_time_lets_entries_through_again() -> None:
    flood = EntryFlood(FloodLimits(per_minute=2, repeats=1, window_s=90))
    assert flood.refusal("one", "a", AS_OF) is None
    assert flood.refusal("one", "b", AS_OF) is None
    assert flood.refusal("one", "c", AS_OF + timedelta(seconds=59.9)) is not None
    assert flood.refusal("one", "c", AS_OF + timedelta(seconds=60)) is None, "what was refused was not counted"
    assert flood.refusal("one", "a", AS_OF + timedelta(seconds=89.9)) is not None
    assert flood.refusal("one", "a", AS_OF + timedelta(seconds=90)) is None


def test_a_window_that_is_shorter_than_a_minute() -> None:
    flood = EntryFlood(FloodLimits(per_minute=9, repeats=1, window_s=10))
    assert flood.refusal("one", "a", AS_OF) is None
    assert flood.refusal("one", "a", AS_OF + timedelta(seconds=9.9)) is not None
    assert flood.refusal("one", "a", AS_OF + timedelta(seconds=10)) is None


def test_two_strategies_may_want_the_same_entry() -> None:
    flood = EntryFlood(FloodLimits(per_minute=3, repeats=1))
    assert [flood.refusal(name, "the same", AS_OF) for name in ("one", "two", "three")] == [None] * 3
    assert flood.refusal("one", "the same", AS_OF) == "3 entries within a minute, limit 3"


def test_accounts_do_not_count_for_each_other() -> None:
    flood = EntryFlood(FloodLimits(per_minute=2, repeats=1))
    assert [flood.refusal("one", "a", AS_OF, account) for account in ("DU1", "DU2")] == [None, None]
    assert flood.refusal("one", "a", AS_OF, "DU1") is not None
    assert [flood.refusal("one", "b", AS_OF, account) for account in ("DU1", "DU2")] == [None, None]
    assert flood.refusal("one", "c", AS_OF, "DU1") == "2 entries within a minute, limit 2"


def test_a_fingerprint_is_of_legs_side_and_size() -> None:
    own = fingerprint(Action.BUY, 1, LEGS)
    assert own == fingerprint(Action.BUY, 1, (SHORT, LONG))
    others = {fingerprint(Action.SELL, 1, LEGS), fingerprint(Action.BUY, 2, LEGS), fingerprint(Action.BUY, 1, (LONG,))}
    assert own not in others
    assert len(others) == 3
