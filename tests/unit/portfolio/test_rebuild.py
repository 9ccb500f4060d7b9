from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.spreads import ACCOUNT, AS_OF, DAY, SHORT, entry_fills, exit_fills, fill, trade

from htbot.domain.fills import Fill
from htbot.domain.orders import Action
from htbot.domain.trades import Trade, TradeState
from htbot.portfolio.pnl import trade_result
from htbot.portfolio.positions import fold
from htbot.portfolio.rebuild import DayBook, Difference, TradeBook, check_positions, rebuild

CLOSED = replace(
    trade(),
    state=TradeState.CLOSED,
    closed=1,
    debit=Decimal("0.20"),
    gross_pnl_usd=Decimal(400),
    commissions_usd=Decimal("4.40"),
    closed_at=exit_fills()[0].executed_at,
)
RESULT = DayBook(ACCOUNT, DAY, Decimal(400), Decimal("4.40"), Decimal("395.60"), 1)
NAME = CLOSED.id


def book(of: Trade = CLOSED, entry: Sequence[Fill] = (), exits: Sequence[Fill] = ()) -> TradeBook:
    return TradeBook(of, tuple(entry or entry_fills()), tuple(exits or exit_fills()))


def differences(books: Sequence[TradeBook], days: Sequence[DayBook] = ()) -> list[Difference]:
    fills = [one for item in books for one in (*item.entry, *item.exits)]
    return rebuild(fills, list(fold(fills).values()), books, days)


def test_right_books_have_no_differences() -> None:
    assert differences([book()], [RESULT]) == []


@pytest.mark.parametrize(
    ("changes", "field", "stored", "rebuilt"),
    [
        ({"credit": Decimal("4.21")}, "credit", "4.21", "4.20"),
        ({"debit": None}, "debit", None, "0.20"),
        ({"gross_pnl_usd": Decimal("399.99")}, "gross_pnl_usd", "399.99", "400.00"),
        ({"commissions_usd": Decimal("4.400001")}, "commissions_usd", "4.400001", "4.40"),
        ({"quantity": 2}, "quantity", "2", "1"),
        ({"closed_at": AS_OF}, "closed_at", AS_OF.isoformat(), CLOSED.closed_at.isoformat()),  # type: ignore[union-attr]
    ],
)
def test_each_value_of_a_trade(changes: dict[str, Any], field: str, stored: str, rebuilt: str) -> None:
    found = differences([book(replace(CLOSED, **changes))], [RESULT])
    assert found == [Difference("trades", NAME, field, stored, rebuilt)]


def test_a_trade_that_is_called_closed_and_is_not() -> None:
    held = TradeBook(CLOSED, tuple(entry_fills()), ())
    fields = {one.field: (one.stored, one.rebuilt) for one in differences([held]) if one.table == "trades"}
    assert fields["state"] == ("closed", "open")
    assert fields["debit"] == ("0.20", None)


def test_a_void_trade_that_was_filled() -> None:
    void = replace(trade(), state=TradeState.VOID, commissions_usd=Decimal("2.20"))
    (found,) = differences([TradeBook(void, tuple(entry_fills()), ())])
    assert (found.field, found.stored, found.rebuilt) == ("state", "void", "open")


def test_an_unknown_commission_is_unknown_in_both() -> None:
    exits = exit_fills(commission=None)
    owed = replace(CLOSED, commissions_usd=None)
    assert [one.table for one in differences([book(owed, exits=exits)], [])] == ["pnl_daily"]
    day = replace(RESULT, commissions_usd=None, net_usd=None)
    assert differences([book(owed, exits=exits)], [day]) == []
    told = differences([book(owed, exits=exits)], [replace(day, net_usd=Decimal(400))])
    assert [(one.field, one.rebuilt) for one in told] == [("net_usd", None)], "nothing is not what is unknown"


def test_a_fill_that_is_no_leg_is_named() -> None:
    strange = replace(fill("s1.01.01", SHORT, Action.BUY, "1.00"), con_id=99)
    found = differences([book(exits=[*exit_fills(), strange])])
    assert ("fills", "execution s1.01.01 is of contract 99, which is no leg of the trade") in {
        (one.field, one.rebuilt) for one in found
    }


def test_days_that_are_missing_or_made_up() -> None:
    assert [(one.key, one.stored, one.rebuilt) for one in differences([book()])] == [
        (f"{ACCOUNT} 2022-08-26", None, "there")
    ]
    other = replace(RESULT, account="DU2")
    assert [(one.key, one.stored, one.rebuilt) for one in differences([book()], [RESULT, other])] == [
        ("DU2 2022-08-26", "there", None)
    ]


def test_an_open_trade_counts_nothing_yet() -> None:
    running = replace(trade(), id="another", commissions_usd=Decimal("2.20"))
    later = [replace(one, exec_id=f"o{one.exec_id}") for one in entry_fills()]
    books = [book(), TradeBook(running, tuple(later), ())]
    assert differences(books, [RESULT]) == []
    assert [one.field for one in differences(books, [replace(RESULT, gross_usd=Decimal(1))])] == ["gross_usd"]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5000)), min_size=1, max_size=6),
    st.integers(0, 5),
    st.sampled_from(["quantity", "average_price", "realized_usd", "commissions_usd"]),
)
def test_any_cent_of_any_position_is_found(traded: list[tuple[int, int]], which: int, field: str) -> None:
    fills = [
        fill(f"{number:04d}.01.01", SHORT, Action.SELL if number % 3 else Action.BUY, str(Decimal(cents) / 100), size)
        for number, (size, cents) in enumerate(traded)
    ]
    (held,) = fold(fills).values()
    assert check_positions(fills, [held]) == []
    step = 1 if field == "quantity" else Decimal("0.01")
    wrong = replace(held, **{field: getattr(held, field) + step * (which + 1)})
    assert [one.field for one in check_positions(fills, [wrong])] == [field]


def test_the_result_is_the_one_that_trades_are_settled_by() -> None:
    result = trade_result(CLOSED.legs, entry_fills(), exit_fills())
    assert (result.gross_usd, result.commissions_usd) == (CLOSED.gross_pnl_usd, CLOSED.commissions_usd)
