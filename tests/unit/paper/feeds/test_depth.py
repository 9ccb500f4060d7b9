from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.paper_world import START

from htbot.domain.quotes import Quote
from htbot.paper.feeds.depth import ASK, BID, DELETE, INSERT, Level, book_side, changes

LEVELS = st.lists(st.builds(Level, st.floats(1, 9), st.floats(1, 9)), max_size=8)
QUOTE = Quote(7, START, 10.0, 10.01, 300.0, 500.0)


@given(LEVELS, LEVELS)
def test_changes_turn_one_book_into_the_other(shown: list[Level], wanted: list[Level]) -> None:
    book = list(shown)
    for position, operation, level in changes(shown, wanted):
        if operation == INSERT:
            book.insert(position, level)
        elif operation == DELETE:
            del book[position]
        else:
            book[position] = level
    assert book == wanted


def test_the_first_level_is_the_quote_and_a_world_repeats_itself() -> None:
    first = book_side(QUOTE, BID, 0.01, 3, ())
    assert first[0] == Level(10.0, 300.0)
    assert [level.price for level in first] == [10.0, 9.99, 9.98]
    assert first == book_side(QUOTE, BID, 0.01, 3, ())


def test_venues_share_the_size_of_a_level() -> None:
    rows = book_side(QUOTE, ASK, 0.01, 6, ("A", "B", "C"))
    assert [level.price for level in rows] == [10.01] * 3 + [10.02] * 3
    assert sum(level.size for level in rows[:3]) == 500.0
    assert len({level.venue for level in rows[:3]}) == 3


def test_a_book_ends_above_zero() -> None:
    assert len(book_side(Quote(7, START, 0.02, 0.03, 1.0, 1.0), BID, 0.01, 5, ())) == 2
    assert book_side(Quote(7, START, None, 0.03), BID, 0.01, 5, ()) == []
