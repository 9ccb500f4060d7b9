from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.integration.persistence.conftest import Enter
from tests.support.record import ACCOUNT, DAY, LONG, SHORT, at, exit_of, fill, order

from htbot.domain.errors import StopTrading
from htbot.domain.orders import OrderState
from htbot.domain.positions import Position
from htbot.domain.trades import TradeState
from htbot.persistence.engine import Database
from htbot.persistence.records import DailyPnl, PnlSnapshot
from htbot.persistence.repositories import (
    FillRepository,
    IntentRepository,
    OrderRepository,
    PnlRepository,
    PositionRepository,
    TradeRepository,
)


def test_what_the_broker_leaves_out_stays(database: Database, enter: Enter) -> None:
    _, intent = enter()
    with database.transaction() as session:
        orders = OrderRepository(session)
        orders.upsert(order(intent, perm_id=900, average_price=Decimal("-4.20")), at(1))
        orders.upsert(order(intent, state=OrderState.FILLED, filled=1), at(2))
        assert orders.get(intent.ref) == order(
            intent, state=OrderState.FILLED, filled=1, perm_id=900, average_price=Decimal("-4.20")
        )
        assert orders.working() == []
        assert orders.of_session(DAY, ACCOUNT) == orders.recent()


def test_a_reference_works_while_any_of_its_permanent_ids_does(database: Database, enter: Enter) -> None:
    """RULINGS 15; two permanent ids under one reference after a modification in a disconnect (FAULTS 38)."""
    _, intent = enter()
    with database.transaction() as session:
        orders = OrderRepository(session)
        orders.upsert(order(intent, perm_id=900), at(1))
        orders.upsert(order(intent, perm_id=900), at(2), {901: OrderState.SUBMITTED})
        orders.upsert(order(intent, perm_id=900), at(3), {900: OrderState.CANCELLED})
        assert orders.perm_ids(intent.ref) == {900: OrderState.CANCELLED, 901: OrderState.SUBMITTED}
        assert orders.works(intent.ref)
        orders.upsert(order(intent, perm_id=900), at(4), {901: OrderState.CANCELLED})
        assert not orders.works(intent.ref)


@pytest.mark.fault(38)
@pytest.mark.ruling(15)
def test_every_permanent_id_keeps_its_own_state(database: Database, enter: Enter) -> None:
    _, intent = enter()
    with database.transaction() as session:
        orders = OrderRepository(session)
        orders.upsert(order(intent), at(0))
        assert orders.works(intent.ref), "sent, and its permanent id is not known yet"
        both = {900: OrderState.CANCELLED, 901: OrderState.SUBMITTED}
        orders.upsert(order(intent, state=OrderState.UNKNOWN, perm_id=901), at(1), both)
        assert orders.perm_ids(intent.ref) == both
        assert orders.works(intent.ref)
        orders.upsert(
            order(intent, state=OrderState.CANCELLED, perm_id=901), at(2), {**both, 901: OrderState.CANCELLED}
        )
        assert not orders.works(intent.ref)


def test_an_order_that_never_left_does_not_work(database: Database, enter: Enter) -> None:
    _, intent = enter()
    with database.transaction() as session:
        assert not OrderRepository(session).works(intent.ref)
        OrderRepository(session).upsert(order(intent, state=OrderState.REJECTED), at(0))
        assert not OrderRepository(session).works(intent.ref)


def test_an_execution_is_booked_once(database: Database, enter: Enter) -> None:
    _, intent = enter()
    sold = fill(intent, SHORT, "0001.01.01")
    with database.transaction() as session:
        fills = FillRepository(session)
        assert fills.add(sold, at(2))
        assert not fills.add(sold, at(3))
        assert fills.of_ref(intent.ref) == [sold]


def test_a_commission_comes_later_and_is_unknown_until_then(database: Database, enter: Enter) -> None:
    _, intent = enter()
    sold = fill(intent, SHORT, "0001.01.01")
    with database.transaction() as session:
        fills = FillRepository(session)
        fills.add(sold, at(2))
        assert fills.get("0001.01.01") == sold
        assert fills.set_commissions({"0001.01.01": Decimal("0.65")}) == 1
        assert fills.get("0001.01.01") == replace(sold, commission=Decimal("0.65"))
        assert fills.set_commissions({"0009.01.01": Decimal("0.65")}) == 0


def test_a_correction_takes_the_place_of_its_original(database: Database, enter: Enter) -> None:
    _, intent = enter()
    sold, bought = fill(intent, SHORT, "0001.01.01", "5.10"), fill(intent, LONG, "0001.02.01", "0.90")
    corrected = fill(intent, SHORT, "0001.01.02", "5.15")
    with database.transaction() as session:
        fills = FillRepository(session)
        for one in (sold, bought, corrected):
            assert fills.add(one, at(2))
        assert fills.of_account(ACCOUNT) == [corrected, bought]
        assert fills.get("0001.01.01") == sold, "nothing is lost"


def test_fills_of_a_trade_are_those_of_its_entry_and_its_exits(database: Database, enter: Enter) -> None:
    opened, intent = enter()
    other, other_intent = enter(2, account="DU2")
    close = exit_of(opened)
    entered, left = fill(intent, SHORT, "0001.01.01"), fill(close, SHORT, "0002.01.01", "6.30")
    with database.transaction() as session:
        IntentRepository(session).add(close)
        fills = FillRepository(session)
        for one in (left, entered, fill(other_intent, SHORT, "0003.01.01")):
            fills.add(one, at(40))
        assert fills.of_trade(opened.id) == [entered, left]
        assert [one.exec_id for one in fills.of_trade(other.id)] == ["0003.01.01"]
        assert fills.of_session(DAY, ACCOUNT) == [entered, left]


def test_an_execution_of_a_reference_we_never_wrote_is_not_booked(database: Database, enter: Enter) -> None:
    _, intent = enter()
    stranger = replace(fill(intent, SHORT, "0001.01.01"), ref="")
    with database.transaction() as session, pytest.raises(StopTrading, match="carries order_ref ''"):
        FillRepository(session).add(stranger, at(2))


def position(con_id: int, quantity: int, account: str = ACCOUNT) -> Position:
    return Position(
        account, con_id, "SPX", DAY, Decimal(4150), None, 100, quantity, Decimal("5.1"), Decimal("-12.345678")
    )


def test_the_fold_takes_the_place_of_what_was_stored(database: Database) -> None:
    with database.transaction() as session:
        positions = PositionRepository(session)
        positions.put([position(11, 3, "DU2"), position(11, -1), position(12, 1)], at())
        positions.put([position(12, 0), position(13, 2)], at(1))
        assert positions.of_account(ACCOUNT) == [position(11, -1), position(13, 2)]
        assert positions.of_account(ACCOUNT, flat=True) == [position(11, -1), position(12, 0), position(13, 2)]
        assert len(positions.of_account()) == 3
        positions.drop(ACCOUNT, 11)
        assert positions.of_account(ACCOUNT) == [position(13, 2)]
        assert len(positions.of_account("DU2")) == 1


def test_one_mark_per_trade_and_time_and_unknown_stays_unknown(database: Database, enter: Enter) -> None:
    opened, _ = enter()
    first = PnlSnapshot(opened.id, at(1), None, Decimal("4.30"), None, Decimal("-10.00"), details={"doubt": "crossed"})
    second = PnlSnapshot(opened.id, at(2), Decimal("4.00"))
    with database.transaction() as session:
        pnl = PnlRepository(session)
        assert pnl.add_snapshot(first)
        assert not pnl.add_snapshot(replace(second, as_of=at(1)))
        assert pnl.add_snapshot(second)
        assert pnl.snapshots(opened.id) == [first, second]
        assert pnl.latest_snapshot(opened.id) == second
        assert pnl.latest_snapshot(opened.id, at(1.5)) == first


def test_a_days_result_is_that_of_its_trades_and_never_overwritten_by_an_older_one(
    database: Database, enter: Enter
) -> None:
    opened, _ = enter()

    def closed(gross: str, minutes: int) -> None:
        held = trades.get(opened.id)
        assert held is not None
        amounts = {"gross_pnl_usd": Decimal(gross), "commissions_usd": Decimal("2.20")}
        ended = replace(held, state=TradeState.CLOSED, closed_at=at(1), **amounts)  # type: ignore[arg-type]
        assert trades.save(ended, held.state)
        pnl.fold_day(ACCOUNT, DAY, at(minutes))

    with database.transaction() as session:
        pnl, trades = PnlRepository(session), TradeRepository(session)
        pnl.fold_day(ACCOUNT, DAY, at(0))
        assert pnl.day(ACCOUNT, DAY) == DailyPnl(ACCOUNT, DAY, Decimal(0), Decimal(0), Decimal(0), 0, at(0))
        closed("10.00", 1)
        closed("30.00", 3)
        closed("20.00", 2)
        last = DailyPnl(ACCOUNT, DAY, Decimal("30.00"), Decimal("2.20"), Decimal("27.80"), 1, at(3))
        assert pnl.day(ACCOUNT, DAY) == last
        assert pnl.days(ACCOUNT, DAY, DAY) == [last]
