from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from htbot.domain.orders import Action
from htbot.paper.accounts.bookings import Booking
from htbot.paper.accounts.ledger import Ledger
from htbot.paper.store import Store

CASH = Decimal(100_000)


def ledger_at(path: Path) -> Ledger:
    return Ledger(Store(path), ["DU1"], CASH)


def trade(side: Action, quantity: int, price: str, commission: str = "0", con_id: int = 1) -> Booking:
    return Booking("DU1", con_id, 100, side, Decimal(quantity), Decimal(price), Decimal(commission))


def test_cost_includes_commissions_and_profit_is_after_them(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "l")
    assert ledger.book(trade(Action.BUY, 2, "1.50", "1.30")) is None
    position = ledger.positions["DU1", 1]
    assert position.average_cost == Decimal("150.65")
    assert ledger.book(trade(Action.SELL, 1, "2.00", "0.65")) == Decimal("48.70")
    assert ledger.book(trade(Action.SELL, 1, "1.00", "0.65")) == Decimal("-51.30")
    assert (position.quantity, position.cost, position.realized) == (0, 0, Decimal("-2.60"))
    assert ledger.accounts["DU1"].cash_usd == CASH - Decimal("2.60")


def test_a_short_position_earns_when_it_is_bought_back_lower(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "l")
    ledger.book(trade(Action.SELL, 1, "8.10", "1.23"))
    assert ledger.positions["DU1", 1].average_cost == Decimal("808.77")
    assert ledger.book(trade(Action.BUY, 1, "5.00", "1.23")) == Decimal("307.54")


def test_a_trade_through_zero_closes_and_opens(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "l")
    ledger.book(trade(Action.BUY, 1, "1.00"))
    assert ledger.book(trade(Action.SELL, 3, "2.00")) == Decimal(100)
    position = ledger.positions["DU1", 1]
    assert (position.quantity, position.cost, position.average_cost) == (-2, Decimal(-400), Decimal(200))


def test_books_are_the_same_after_a_restart(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "l")
    ledger.book(trade(Action.BUY, 3, "1.23", "1.95"))
    ledger._store.commit()
    again = ledger_at(tmp_path / "l")
    assert again.positions == ledger.positions
    assert again.accounts == ledger.accounts


def test_a_correction_of_today_is_as_if_it_had_never_been_wrong(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "l")
    wrong, right = trade(Action.BUY, 1, "1.00", "1.00"), trade(Action.BUY, 1, "1.20", "1.00")
    for each in (wrong, trade(Action.BUY, 1, "2.00"), trade(Action.SELL, 1, "3.00")):
        ledger.book(each)
    assert ledger.positions["DU1", 1].realized == Decimal("149.50")
    ledger.correct(wrong, right)
    assert ledger.positions["DU1", 1].realized == Decimal("139.50")
    assert ledger.positions["DU1", 1].cost == Decimal("160.50")
    assert ledger.accounts["DU1"].cash_usd == CASH - 21
    ledger._store.commit()
    again = ledger_at(tmp_path / "l")
    again.correct(right, None)
    assert (again.positions["DU1", 1].quantity, again.positions["DU1", 1].realized) == (0, 100)
    assert again.accounts["DU1"].cash_usd == CASH + 100


def test_a_trade_of_an_earlier_day_is_reversed(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "l")
    wrong = trade(Action.BUY, 2, "1.00", "1.30")
    ledger.book(wrong)
    ledger.close_day("DU1", CASH, CASH, {1: Decimal(200)})
    ledger.correct(wrong, trade(Action.BUY, 1, "1.00", "0.65"))
    assert ledger.positions["DU1", 1].quantity == 1
    assert ledger.accounts["DU1"].cash_usd == CASH - Decimal("100.65")
    assert ledger.accounts["DU1"].day_trades == [0, 0]


def test_what_was_closed_is_forgotten_the_next_day(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "l")
    ledger.book(trade(Action.BUY, 1, "1.00"))
    ledger.book(trade(Action.SELL, 1, "2.00"))
    ledger.book(trade(Action.BUY, 1, "1.00", con_id=2))
    assert [row.con_id for row in ledger.active("DU1")] == [1, 2]
    ledger.close_day("DU1", CASH, CASH, {2: Decimal(100)})
    assert [row.con_id for row in ledger.active("DU1")] == [2]
    ledger._store.commit()
    again = ledger_at(tmp_path / "l")
    assert again.active("DU1") == ledger.active("DU1")
    assert again.of("DU1") == ledger.of("DU1")
    again.book(trade(Action.BUY, 1, "1.00"))
    assert [row.con_id for row in again.active("DU1")] == [1, 2]


TRADES = st.lists(
    st.tuples(st.sampled_from(Action), st.integers(1, 7), st.integers(1, 2000), st.integers(0, 300), st.integers(1, 3)),
    max_size=40,
)


@settings(max_examples=60)
@given(TRADES)
def test_cash_and_cost_are_conserved(rows: list[tuple[Action, int, int, int, int]]) -> None:
    ledger = Ledger(Store(Path(":memory:")), ["DU1"], CASH)
    for side, quantity, ticks, cents, con_id in rows:
        ledger.book(trade(side, quantity, str(Decimal(ticks) / 20), str(Decimal(cents) / 100), con_id))
    positions = list(ledger.positions.values())
    realized = sum(position.realized for position in positions)
    cost = sum(position.cost for position in positions)
    assert ledger.accounts["DU1"].cash_usd == CASH + realized - cost
    assert all(position.cost == 0 for position in positions if position.quantity == 0)
    signed = {
        con_id: sum(
            quantity if side is Action.BUY else -quantity for side, quantity, _, _, key in rows if key == con_id
        )
        for con_id in {row[4] for row in rows}
    }
    assert {position.con_id: position.quantity for position in positions} == signed
