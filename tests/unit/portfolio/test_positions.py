from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support.spreads import ACCOUNT, LONG, SHORT, entry_fills, exit_fills, fill

from htbot.domain.orders import Action
from htbot.portfolio.positions import fold, latest

KEY = (ACCOUNT, SHORT.con_id)


def test_entry_and_exit_leave_a_flat_book_with_the_gain() -> None:
    book = fold([*entry_fills(), *exit_fills()])
    assert {key: position.quantity for key, position in book.items()} == {KEY: 0, (ACCOUNT, LONG.con_id): 0}
    assert book[KEY].realized_usd == Decimal(585)  # (6.10 - 0.25) x 100
    assert book[(ACCOUNT, LONG.con_id)].realized_usd == Decimal(-185)
    assert sum(position.commissions_usd for position in book.values()) == Decimal("4.40")


def test_average_price_of_a_growing_side() -> None:
    book = fold(
        [fill("a.1.01", SHORT, Action.SELL, "6.00"), fill("b.1.01", SHORT, Action.SELL, "7.00", quantity=3, seconds=1)]
    )
    assert (book[KEY].quantity, book[KEY].average_price) == (-4, Decimal("6.75"))


def test_a_partial_close_keeps_the_average() -> None:
    book = fold(
        [fill("a.1.01", SHORT, Action.SELL, "6.00", quantity=3), fill("b.1.01", SHORT, Action.BUY, "5.00", seconds=1)]
    )
    assert (book[KEY].quantity, book[KEY].average_price, book[KEY].realized_usd) == (-2, Decimal("6.00"), Decimal(100))


def test_a_fill_through_zero_opens_the_other_side_at_its_price() -> None:
    book = fold(
        [fill("a.1.01", SHORT, Action.SELL, "6.00"), fill("b.1.01", SHORT, Action.BUY, "5.00", quantity=3, seconds=1)]
    )
    assert (book[KEY].quantity, book[KEY].average_price, book[KEY].realized_usd) == (2, Decimal("5.00"), Decimal(100))


@pytest.mark.fault(35)
def test_a_repeated_execution_counts_once() -> None:
    assert fold([*entry_fills(), *entry_fills()]) == fold(entry_fills())


@pytest.mark.fault(35)
def test_a_correction_replaces_its_original_and_keeps_its_commission() -> None:
    original = fill("0001.65.01.01", SHORT, Action.SELL, "6.00")
    corrected = fill("0001.65.01.02", SHORT, Action.SELL, "6.05", commission=None)
    for order in ([original, corrected], [corrected, original]):
        (kept,) = latest(order)
        assert (kept.exec_id, kept.price, kept.commission) == ("0001.65.01.02", Decimal("6.05"), Decimal("1.10"))


@pytest.mark.fault(35)
def test_corrections_are_counted_as_numbers() -> None:
    ninth, tenth = (fill(f"0001.65.01.{number}", SHORT, Action.SELL, "6.00") for number in ("9", "10"))
    assert latest([tenth, ninth]) == [tenth]


@pytest.mark.fault(35)
def test_a_bust_removes_the_execution() -> None:
    original = fill("0001.65.01.01", SHORT, Action.SELL, "6.00")
    assert fold([original, replace(original, exec_id="0001.65.01.02", quantity=0)]) == {}


@pytest.mark.fault(35)
def test_a_commission_that_comes_later_is_taken() -> None:
    bare = fill("a.1.01", SHORT, Action.SELL, "6.00", commission=None)
    known = replace(bare, commission=Decimal("1.25"))
    assert latest([bare, known]) == latest([known, bare]) == [known]


def test_accounts_are_apart() -> None:
    other = replace(fill("a.1.01", SHORT, Action.SELL, "6.00"), exec_id="z.1.01", account="DU100002")
    assert len(fold([fill("a.1.01", SHORT, Action.SELL, "6.00"), other])) == 2
