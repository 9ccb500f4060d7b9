"""Exits are guarded, halts are seen, books are compared, instants are published."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from tests.support import record
from tests.support.desk import SESSION, BorrowedThread, Running, World

from htbot.desk.halts import HaltWatch
from htbot.desk.threads import DatabaseThread
from htbot.domain.bars import Bar
from htbot.domain.errors import StopTrading
from htbot.domain.instruments import Contract, SecType
from htbot.domain.orders import ExitReason, IntentState, PriceStyle
from htbot.marketdata.messages import BarMessage, ConnectionMessage
from htbot.persistence.engine import Database
from htbot.persistence.repositories import (
    AccountRepository,
    BarRepository,
    DeskStateRepository,
    HaltRepository,
    HaltRequest,
    Series,
)
from htbot.persistence.states import HaltKind


async def test_a_stop_is_asked_for_once_however_often_one_looks(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    world.after(market_s=5)
    await desk.hear()
    asked = [await desk.look() for _ in range(5)]
    assert asked == [1, 0, 0, 0, 0]
    assert len(world.exits(intent.trade_id)) == 1


async def test_only_legs_that_have_ticked_are_looked_at(world: World) -> None:
    desk = await world.desk()
    await desk.opened()
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    world.after(market_s=5)
    await desk.hear()
    assert await desk.look({1, 99}) == 0
    assert await desk.look({record.LONG.con_id}) == 1


@pytest.mark.ruling(6)
async def test_a_target_at_mid_wants_two_quotes_a_second_apart(world: World) -> None:
    """RULINGS 6."""
    desk = await world.desk()
    intent = await desk.opened()
    target = world.trade(intent.trade_id).rules
    assert min(target.profit_target_usd, Decimal("0.5") * Decimal("4.25") * 100) == Decimal("212.50")
    world.broker.quotes |= {
        record.SHORT.con_id: (3.00, 3.20),
        record.LONG.con_id: (0.90, 1.10),
    }  # mid 2.10, natural 2.30
    for market_s, wanted in ((5.0, 0), (0.9, 0), (0.1, 1)):
        world.after(market_s=market_s)
        await desk.hear()
        assert await desk.look() == wanted
    [exit_] = world.exits(intent.trade_id)
    assert (exit_.intent.exit_reason, exit_.intent.style) == (ExitReason.PROFIT_TARGET, PriceStyle.LADDER)
    assert exit_.evidence["limit"] == "212.50"
    assert {leg["con_id"] for leg in exit_.evidence["marks"]} == {record.SHORT.con_id, record.LONG.con_id}


async def test_the_best_gain_is_kept_with_the_trade(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= {record.SHORT.con_id: (4.00, 4.10), record.LONG.con_id: (1.00, 1.10)}  # mid 3.00: +125
    world.after(market_s=5)
    await desk.turn()
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    world.after(market_s=5)
    await desk.turn()
    assert world.trade(intent.trade_id).max_gain_usd == Decimal(125)


@pytest.mark.ruling(11)
async def test_a_stop_hurries_a_slow_exit_and_adds_none(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= {record.SHORT.con_id: (3.00, 3.20), record.LONG.con_id: (0.90, 1.10)}
    for _ in range(2):
        world.after(market_s=2)
        await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    slow = world.broker.working(exit_.intent.ref).limit
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    world.after(market_s=1)
    await desk.turn()
    assert len(world.exits(intent.trade_id)) == 1
    assert slow > world.broker.working(exit_.intent.ref).limit == Decimal("-6.75")  # natural 6.70 and a tick


@pytest.mark.ruling(10)
async def test_a_close_is_reduce_only_by_what_the_broker_shows(world: World) -> None:
    """RULINGS 10."""
    desk = await world.desk()
    intent = await desk.opened(quantity=3)
    for leg in intent.legs:
        world.broker.move(record.ACCOUNT, Contract(leg.con_id, "SPX", SecType.OPTION, "SMART"), -leg.ratio)
    world.now = record.at(181)
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert exit_.intent.quantity == 2


@pytest.mark.ruling(10)
async def test_nothing_is_sent_for_what_the_broker_does_not_hold(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.held.clear()
    world.now = record.at(181)
    await desk.turn()
    assert world.exits(intent.trade_id) == []
    assert len(desk.session.placed) == 1


async def test_a_close_that_cannot_be_done_is_told_once_and_leaves_as_soon_as_it_can(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    held = dict(world.broker.held)
    world.broker.held.clear()
    world.now = record.at(181)
    for second in range(20):
        await desk.look()
        assert world.mails("error.close failed") == (second >= 5)
        world.after(market_s=1)
    assert sum("nothing to close" in logged.message for logged in caplog.records) == 1
    world.broker.held |= held
    assert await desk.look() == 1
    [close] = world.exits(intent.trade_id)
    assert close.intent.exit_reason is ExitReason.TIME


async def test_each_trade_that_cannot_be_closed_is_told(world: World) -> None:
    desk = await world.desk()
    trades = [
        (await desk.opened()).trade_id,
        (await desk.opened(number=2, strategy="another", id="another-2")).trade_id,
    ]

    def told(kind: str) -> list[str]:
        return [one.alert.params["trade_id"] for one in reversed(world.alerts()) if one.alert.kind == kind]

    world.broker.held.clear()
    world.now = record.at(181)
    for _ in range(8):
        await desk.look()
        world.after(market_s=1)
    assert sorted(told("error.close failed")) == sorted(trades)
    world.now = SESSION.closes
    await desk.look()
    assert sorted(told("error.open after hours")) == sorted(trades)


async def test_an_exit_that_was_refused_is_asked_for_again_under_a_new_reference(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.now = record.at(181)
    desk.session.reject = (201, "no")
    await desk.turn()
    desk.session.reject = None
    world.after(market_s=1)
    await desk.turn()
    first, second = world.exits(intent.trade_id)
    assert (first.state, second.state) == (IntentState.REJECTED, IntentState.WORKING)
    assert (first.intent.ref[-2:], second.intent.ref[-2:]) == ("X1", "X2")
    assert world.mails("error.close failed") == 1


async def test_a_broker_that_refuses_every_close_gets_no_storm_of_them(world: World) -> None:
    """Each refusal opens the trade again: what is asked for with every quote would be several orders a second."""
    desk = await world.desk()
    intent = await desk.opened()
    world.now = record.at(181)
    desk.session.reject = (201, "no")
    for _ in range(60):
        await desk.turn()
        world.after(market_s=0.5)
    assert len(world.exits(intent.trade_id)) == 5  # at 0, 1, 3, 7 and 15 s
    assert world.mails("error.close failed") == 1
    desk.session.reject = None
    world.after(market_s=30)
    await desk.turn()
    assert world.exits(intent.trade_id)[-1].state is IntentState.WORKING


# --- halts ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def halts(world: World) -> HaltWatch:
    thread = BorrowedThread("halts", world.database)
    world.threads.append(thread)
    return HaltWatch(world.stop_file, thread)


async def test_not_knowing_is_halted(world: World, halts: HaltWatch) -> None:
    assert halts.entries_halted_by() == "halts are not known: the database has not answered"
    await halts.refresh(world.now)
    assert halts.entries_halted_by() is None


async def test_a_database_that_goes_away_halts(world: World, halts: HaltWatch) -> None:
    await halts.refresh(world.now)
    halts._database = DatabaseThread("away", Database("postgresql://nobody@127.0.0.1:1/none"))
    world.threads.append(halts._database)
    await halts.refresh(world.now)
    assert halts.entries_halted_by() == "halts are not known: the database has not answered"


async def test_the_file_halts_at_once_and_its_row_follows(world: World, halts: HaltWatch) -> None:
    await halts.refresh(world.now)
    world.stop_file.touch()
    assert halts.entries_halted_by() == f"STOP file {world.stop_file}"
    await halts.refresh(world.now)
    await halts.refresh(world.now)
    assert [halt.source for halt in world.halts()] == ["file"]
    world.stop_file.unlink()
    assert halts.entries_halted_by() == f"STOP file {world.stop_file}"  # until the record says so too
    assert await halts.refresh(world.now)
    assert halts.entries_halted_by() is None
    assert world.halts() == []


async def test_a_dangling_link_is_a_stop_file(world: World, halts: HaltWatch) -> None:
    await halts.refresh(world.now)
    world.stop_file.symlink_to("nowhere")
    assert halts.entries_halted_by() == f"STOP file {world.stop_file}"


async def test_removing_the_file_lifts_no_other_halt(world: World, halts: HaltWatch) -> None:
    with world.database.transaction() as session:
        HaltRepository(session).set(HaltRequest("cli", "lunch", "user:1", world.now))
    world.stop_file.touch()
    await halts.refresh(world.now)
    world.stop_file.unlink()
    assert not await halts.refresh(world.now)
    assert halts.entries_halted_by() == "halt by cli: lunch"


async def test_the_end_of_a_halt_is_told_once(world: World, halts: HaltWatch) -> None:
    world.stop_file.touch()
    assert not await halts.refresh(world.now)
    world.stop_file.unlink()
    await halts.refresh(world.now)
    with world.database.transaction() as session:
        HaltRepository(session).set(HaltRequest("cli", "lunch", "user:1", world.now))
    assert not await halts.refresh(world.now)
    with world.database.transaction() as session:
        HaltRepository(session).clear("user:1", world.now)
    assert await halts.refresh(world.now)
    assert not await halts.refresh(world.now)


async def test_a_breaker_ends_with_its_session(world: World, halts: HaltWatch) -> None:
    with world.database.transaction() as session:
        request = HaltRequest("daily_loss", "lost", "desk", world.now, HaltKind.BREAKER, record.at(60))
        HaltRepository(session).set(request)
    await halts.refresh(world.now)
    assert halts.entries_halted_by() == "breaker by daily_loss: lost"
    await halts.refresh(record.at(60))
    assert halts.entries_halted_by() is None


# --- books and broker -------------------------------------------------------------------------------------------------


@pytest.mark.fault(39)
async def test_a_difference_that_stays_disables_and_is_told(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    await desk.look_up()
    world.broker.held.pop((record.ACCOUNT, record.LONG.con_id))
    assert not await desk.look_up()
    assert desk.desk.enabled, "it may be under way"
    world.after(market_s=15)
    await desk.hear()
    assert not await desk.look_up()
    assert (desk.desk.enabled, desk.desk.reason) == (False, "books and broker disagree")
    assert "PHANTOM" in next(item.alert.text for item in world.alerts() if item.alert.kind == "error.reconciliation")
    world.broker.move(record.ACCOUNT, Contract(record.LONG.con_id, "SPX", SecType.OPTION, "SMART"), 1)
    assert await desk.look_up()
    assert desk.desk.enabled
    assert len(desk.session.placed) == 1, "a reconciliation never trades"
    assert world.state(intent.ref) is IntentState.FILLED


async def test_an_epoch_begins_unreconciled_and_ends_so_with_the_desk(world: World) -> None:
    def reconciled() -> bool:
        with world.database.transaction() as session:
            return DeskStateRepository(session).reconciled()

    desk = await world.desk(recover=False)
    assert not reconciled()
    await desk.recover()
    assert reconciled()
    await world.desk(recover=False)
    assert not reconciled()


async def test_a_world_behind_our_books_is_refused(world: World) -> None:
    desk = await world.desk()
    await desk.desk.notices.publish_grid(world.now)
    desk.die()
    world.now -= timedelta(seconds=60)
    await (await world.desk()).hear()
    world.now -= timedelta(seconds=1)
    with pytest.raises(StopTrading, match="--fresh"):
        await world.desk()
    world.broker.world_id = "world-2"
    assert (await world.desk()).desk.enabled


# --- telling ----------------------------------------------------------------------------------------------------------


async def test_an_instant_is_one_snapshot_with_the_account_beside_it(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    await desk.desk.notices.publish_grid(world.now)
    [snapshot] = desk.live.snapshots
    assert (snapshot.as_of, snapshot.world_id, snapshot.account) == (world.now, record.WORLD, record.ACCOUNT)
    assert {leg.con_id for leg in intent.legs} <= set(snapshot.quotes)
    assert (snapshot.connected, snapshot.net_liquidation) == (True, Decimal("100000.00"))
    assert desk.live.clocks[-1].market_time == world.now
    with world.database.transaction() as session:
        account = AccountRepository(session).get(record.ACCOUNT)
    assert account is not None
    assert (account.net_liquidation_usd, account.cash_usd) == (Decimal(100_000), None)


@pytest.mark.fault(11)
async def test_redis_away_costs_the_decision_and_not_the_desk(world: World) -> None:
    desk = await world.desk()

    async def away(*_told: object) -> None:
        raise redis.ConnectionError("refused")

    desk.live.publish_snapshots = desk.live.publish_clock = away  # type: ignore[method-assign]
    await desk.desk.notices.publish_grid(world.now)
    await desk.desk.notices.publish_clock()
    assert desk.desk.enabled


async def test_a_lost_connection_is_told_at_most_each_quarter_of_an_hour(world: World) -> None:
    desk = await world.desk()

    async def lose(running: Running) -> None:
        running.session.sink(ConnectionMessage(connected=False, code=1100, text="lost"))
        running.session.sink(ConnectionMessage(connected=True, code=1102, text="restored"))
        await running.hear()

    await lose(desk)
    world.after(market_s=600)
    await desk.hear()
    await lose(desk)
    kinds = sorted({stored.alert.kind for stored in world.alerts()})
    assert [world.mails(kind) for kind in kinds] == [1, 1]
    world.after(market_s=301)
    await desk.hear()
    await lose(desk)
    assert [world.mails(kind) for kind in kinds] == [2, 2]


async def test_the_bar_that_closes_at_an_instant_is_told_in_its_snapshot_only(world: World) -> None:
    desk = await world.desk()
    world.now = record.at(5)
    desk.session.sink(BarMessage(Bar("SPX", record.NOON, 5, 4150, 4152, 4149, 4151, 0)))
    await desk.hear()
    await desk.desk.settle(world.now)
    await desk.desk.notices.publish_grid(world.now)
    await desk.desk.notices.publish_grid(record.at(5.5))
    first, second = desk.live.snapshots
    assert first.last_closed is not None
    assert (first.last_closed.bar.high, second.last_closed) == (4152, None)
    with world.database.transaction() as session:
        [stored] = BarRepository(session).closed(Series(record.WORLD, "SPX", 5), record.at(5))
    assert stored == first.last_closed.bar
