"""A day without a trade says what kept each look and each signal from becoming one."""

from __future__ import annotations

from dataclasses import replace

from tests.support import record

from htbot.backtest.day_rows import DayRows
from htbot.backtest.untraded import MOST, Reason, untraded

NAME = record.STRATEGY
DAY = DayRows(bars=[], evaluations=[], signals=[], intents=[], fills=[], trades=[])


def test_signals_and_looks_are_counted_by_what_kept_them_back() -> None:
    looks = [
        record.evaluation(why_not="warming up: 1 of 204 bars"),
        record.evaluation(why_not="warming up: 2 of 204 bars"),
        record.evaluation(why_not="inside the day's range"),
        record.evaluation(why_not=None),
    ]
    credit = "minimum_credit: credit {} is below 2.00"
    leaving = replace(record.signal(), action="leave")
    signals = [
        (record.signal(), credit.format("1.10")),
        (record.signal(), credit.format("1.25")),
        (record.signal(), None),
        (leaving, "observe"),
    ]
    told = untraded(replace(DAY, evaluations=looks, signals=signals))
    assert told is not None
    assert (told.signals, told.accepted) == (3, 1)
    assert told.refused == (Reason(NAME, credit.format("1.25"), 2),)
    assert told.looks == (
        Reason(NAME, "warming up: 2 of 204 bars", 2),
        Reason(NAME, "inside the day's range", 1),
    )


def test_a_day_with_a_fill_was_traded() -> None:
    trade = record.trade()
    filled = record.fill(record.entry(trade), record.SHORT, "e1")
    assert untraded(replace(DAY, fills=[filled])) is None


def test_the_commonest_reasons_are_told() -> None:
    words = [f"reason {'x' * number}" for number in range(MOST + 3)]
    looks = [record.evaluation(why_not=word) for word in (*words, *words[-1:])]
    told = untraded(replace(DAY, evaluations=looks))
    assert told is not None
    assert (len(told.looks), told.looks[0].text) == (MOST, words[-1])
