from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.spreads import ACCOUNT, LONG, SHORT, entry_fills, exit_fills, fill

from htbot.domain.orders import Action
from htbot.portfolio.positions import Folding, fold, latest

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


_TRADED = st.tuples(
    st.sampled_from(Action), st.integers(1, 7), st.decimals("0.01", "9.99", places=2), st.sampled_from([None, "0.65"])
)


@given(st.lists(_TRADED, min_size=1, max_size=12), st.integers(1, 12))
def test_a_fold_that_goes_on_is_the_fold_of_all(traded: list[tuple[Action, int, Decimal, str | None]], at: int) -> None:
    """To the last digit: averages of thirds and sevenths are not rounded on the way."""
    fills = [
        fill(f"{n:04}.1.01", SHORT, side, str(price), quantity=quantity, seconds=n, commission=fee and Decimal(fee))
        for n, (side, quantity, price, fee) in enumerate(traded)
    ]
    folding = Folding.of(fills[:at])
    assert folding is not None
    assert all(folding.add(one) for one in fills[at:])
    assert folding.position == fold(fills)[KEY]


def test_a_fold_goes_on_only_by_what_comes_after_it() -> None:
    first, second, third = (fill(f"{name}.1.01", SHORT, Action.SELL, "6.00", seconds=n) for n, name in enumerate("abc"))
    folding = Folding.of([first, third])
    assert folding is not None
    before = folding.position
    assert not folding.add(second), "the average depends on the order"
    assert not folding.add(third), "it is in it"
    assert not folding.add(replace(third, exec_id="c.1.02", price=Decimal("6.05")))
    assert not folding.add(replace(fill("d.1.01", SHORT, Action.SELL, "6.00", seconds=9), quantity=0))
    assert folding.position == before


def test_a_commission_counts_once_and_that_of_a_corrected_execution_does_not() -> None:
    bare = fill("a.1.01", SHORT, Action.SELL, "6.00", commission=None)
    folding = Folding.of([bare])
    assert folding is not None
    assert folding.charge(bare, Decimal("1.25"))
    assert folding.charge(replace(bare, commission=Decimal("1.25")), Decimal("0.65"))
    assert folding.position.commissions_usd == Decimal("0.65")
    assert not folding.charge(replace(bare, exec_id="a.1.00"), Decimal("9.00"))
    assert folding.position.commissions_usd == Decimal("0.65")
    assert Folding.of([replace(bare, quantity=0)]) is None
