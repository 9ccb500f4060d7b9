"""Executions and commissions are booked together, and positions are what all executions make, whoever booked them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import event
from tests.integration.persistence.conftest import Enter
from tests.support.record import ACCOUNT, LONG, SHORT, at, fill

from htbot.domain.errors import StopTrading
from htbot.domain.orders import Action, OrderIntent
from htbot.domain.positions import Position
from htbot.domain.trades import recorded
from htbot.persistence.engine import Database
from htbot.persistence.repositories import FillRepository, PositionRepository
from htbot.portfolio.positions import fold
from htbot.services.bookings import Booking, Charge, Execution, PositionFolds


def _sold(intent: OrderIntent, number: int, price: str, **changes: object) -> Execution:
    told = {"executed_at": at(number), "side": Action.SELL, "commission": None, **changes}
    return Execution(fill(intent, SHORT, f"{number:04}.01", price, **told), at(number))


def _book(database: Database, folds: PositionFolds, *bookings: Booking) -> list[bool]:
    with database.transaction() as session:
        return folds.book(session, bookings)


def _require_equal(database: Database) -> list[Position]:
    """What is stored is the fold of every execution, to the decimals of the record."""
    with database.transaction() as session:
        stored = PositionRepository(session).of_account(ACCOUNT, flat=True)
        made = fold(FillRepository(session).of_account(ACCOUNT)).values()
    amounts = ("average_price", "realized_usd", "commissions_usd")
    rounded = [replace(one, **{name: recorded(getattr(one, name)) for name in amounts}) for one in made]
    assert stored == sorted(rounded, key=lambda one: one.con_id)
    return stored


def test_an_execution_costs_the_same_however_many_were_before_it(database: Database, enter: Enter) -> None:
    _, intent = enter()
    folds, counted = PositionFolds(), [0]
    event.listen(database.engine, "before_cursor_execute", lambda *_told: counted.append(counted.pop() + 1))
    for number, price in enumerate(("1.00", "1.01", "1.01", "2.00"), start=1):  # an average of thirds on the way
        counted[:] = [0]
        side = Action.BUY if number == 4 else Action.SELL
        exec_id = f"{number:04}.01"
        charge = Charge(exec_id, Decimal("1.10"), at(number))
        assert _book(database, folds, charge, _sold(intent, number, price, side=side)) == [True, True]
        assert counted == [3 if number == 1 else 2], "the first one reads what there is, no other does"
    [held] = _require_equal(database)
    assert (held.quantity, held.commissions_usd) == (-2, Decimal("4.40"))
    assert held.average_price == Decimal("1.006667")


def test_a_fold_goes_on_from_what_it_has_written_only(database: Database, enter: Enter) -> None:
    _, intent = enter()
    folds = PositionFolds()
    _book(database, folds, _sold(intent, 1, "1.00"))
    with database.transaction() as session:
        folds.book(session, [_sold(intent, 2, "1.01")])
        session.rollback()
    _book(database, folds, _sold(intent, 3, "1.01"))
    _require_equal(database)
    _book(database, folds, _sold(intent, 2, "1.01"))  # tried again, and late by now
    _require_equal(database)
    _book(database, PositionFolds(), _sold(intent, 4, "1.02"))  # somebody else books
    _book(database, folds, _sold(intent, 5, "1.03"), Charge("0004.01", Decimal("0.65"), at(5)))
    [held] = _require_equal(database)
    assert held.quantity == -5


def test_corrections_busts_and_late_commissions(database: Database, enter: Enter) -> None:
    _, intent = enter()
    folds = PositionFolds()
    first, second = _sold(intent, 1, "1.00"), _sold(intent, 2, "1.10")
    assert _book(database, folds, first, second, first) == [True] * 3
    assert _book(database, folds, Charge("0001.01", Decimal("0.65"), at(3)), Charge("0009.01", Decimal(1), at(3))) == [
        True,
        False,
    ]
    assert _require_equal(database)[0].commissions_usd == Decimal("0.65")
    corrected = replace(second.fill, exec_id="0002.02", price=Decimal("1.05"))
    _book(database, folds, Execution(corrected, at(4)))
    _book(database, folds, Charge("0002.01", Decimal(9), at(5)))  # of what does not count any more
    [held] = _require_equal(database)
    assert (held.average_price, held.commissions_usd) == (Decimal("1.025"), Decimal("0.65"))
    busts = [replace(one, quantity=0) for one in (first.fill, corrected)]
    busts = [replace(one, exec_id=f"{one.exec_id[:-1]}3") for one in busts]
    _book(database, folds, *(Execution(bust, at(6)) for bust in busts))
    assert _require_equal(database) == []


def test_what_is_not_ours_is_not_booked(database: Database, enter: Enter) -> None:
    _, intent = enter()
    ours = _sold(intent, 1, "1.00")
    strange = replace(ours, fill=replace(fill(intent, LONG, "0002.01", "1.00"), ref="htbot-nobody-E1"))
    with pytest.raises(StopTrading, match=r"0002\.01 carries order_ref 'htbot-nobody-E1', which no intent"):
        _book(database, PositionFolds(), ours, strange)
    assert _require_equal(database) == []
