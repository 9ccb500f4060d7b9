"""One desk, two accounts of its login: what happens in one is not the other's business."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.desk import Running, World
from tests.support.record import ACCOUNT, DAY, SHORT, STRATEGY

from htbot.desk.recovery import Look
from htbot.domain.instruments import Contract, Right, SecType
from htbot.domain.orders import ExitReason, IntentState, OrderIntent
from htbot.domain.trades import TradeState
from htbot.execution.reconciliation import FindingKind
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.repositories import (
    AccountRepository,
    AlertRepository,
    CommandRepository,
    CommandRequest,
    EquityRepository,
    HaltRepository,
    HaltRequest,
    ReconciliationRepository,
)
from htbot.persistence.states import CommandState, HaltKind
from htbot.services.command_kinds import CLOSE_ALL

OTHER = "DU1000002"
STOPPED = (8.60, 8.70)
LOOK = Look("interval", at_rest=True)


@pytest.fixture
def two(world: World) -> World:
    world.account, world.more_accounts = ACCOUNT, (OTHER,)
    world.broker.more_accounts[OTHER] = {"NetLiquidation": "50000.00"}
    return world


def of_other(number: int = 2, **more: object) -> dict[str, object]:
    """What makes an entry one of the other account."""
    return {"number": number, "account": OTHER, "id": f"{STRATEGY}-{OTHER}-{DAY:%Y%m%d}-{number}", **more}


def both_want(world: World) -> tuple[OrderIntent, OrderIntent]:
    """Another strategy enters in both accounts at this moment."""
    terms = {"strategy": "another", "opened_at": world.now}
    mine = world.enter(4, id=f"another-{ACCOUNT}-4", **terms)
    return mine, world.enter(**of_other(5, **terms))


async def both_open(world: World) -> tuple[Running, OrderIntent, OrderIntent]:
    desk = await world.desk()
    return desk, await desk.opened(), await desk.opened(**of_other())


def short_leg() -> Contract:
    return Contract(
        SHORT.con_id, SHORT.symbol, SecType.OPTION, "SMART", "USD", DAY, SHORT.strike, Right.PUT, "SPXW", 100
    )


async def test_each_account_has_its_own_orders_fills_and_trades(two: World) -> None:
    desk, mine, others = await both_open(two)
    assert {order.intent.account for order in two.broker.orders} == {ACCOUNT, OTHER}
    assert {account for account, _con_id in two.broker.held} == {ACCOUNT, OTHER}
    assert [fill.account for fill in two.fills(others.ref)] == [OTHER, OTHER]
    assert {trade.account for trade in desk.desk.guard.trades} == {ACCOUNT, OTHER}
    two.after(market_s=61)
    assert await desk.look_up()
    with two.database.transaction() as session:
        runs = {run.account: run for run in reversed(ReconciliationRepository(session).recent())}
    assert {account: (run.matched, run.differing) for account, run in runs.items()} == {ACCOUNT: (2, 0), OTHER: (2, 0)}
    assert mine.account == ACCOUNT


async def test_an_account_that_the_login_lacks_costs_the_others_nothing(two: World) -> None:
    two.more_accounts = (OTHER, "DU1000003")
    desk = await two.desk()
    assert (await desk.opened(**of_other())).account == OTHER
    await desk.desk.ledger.settle()
    with two.database.transaction() as session:
        [told] = [alert for alert in AlertRepository(session).recent() if alert.alert.kind == "error.accounts"]
    assert "IB_ACCOUNTS=DU1000003 is not in this login" in told.alert.text


async def test_what_an_account_holds_is_ended_when_it_is_configured_no_longer(two: World) -> None:
    """The next desk guards it, and enters nothing there."""
    first, _mine, others = await both_open(two)
    first.die()
    two.more_accounts = ()
    desk = await two.desk()
    _mine_next, more = both_want(two)
    await desk.turn()
    assert two.stored(more.ref).reason == f"account {OTHER} is not traded here"
    other = desk.desk.notices.snapshot_now(()).of_account(OTHER)
    assert other is not None
    assert not other.trading_enabled
    two.broker.quotes[SHORT.con_id] = STOPPED
    for _ in range(2):
        two.after(market_s=2)
        await desk.turn()
    [leaving] = two.exits(others.trade_id)
    [order] = two.broker.of(leaving.intent.ref)
    assert order.intent.account == OTHER


async def test_an_account_that_is_not_named_is_not_traded(two: World) -> None:
    two.broker.more_accounts["DU1000003"] = {}
    desk = await two.desk()
    intent = two.enter(**{**of_other(3), "account": "DU1000003"})
    await desk.turn()
    assert two.broker.of(intent.ref) == []
    stored = two.stored(intent.ref)
    assert stored.state is IntentState.WITHDRAWN
    assert stored.reason == "account DU1000003 is not traded here"


async def test_snapshot_and_record_have_each_account_as_the_broker_tells_it(two: World) -> None:
    desk = await two.desk()
    await desk.desk.notices.publish_grid(two.now)
    [told] = desk.live.snapshots
    assert (told.account, told.accounts) == (ACCOUNT, (ACCOUNT, OTHER))
    other = told.of_account(OTHER)
    assert other is not None
    assert (str(told.net_liquidation), str(other.net_liquidation)) == ("100000.00", "50000.00")
    with two.database.transaction() as session:
        rows = {row.account: (row.name, str(row.net_liquidation_usd)) for row in AccountRepository(session).all()}
    assert rows == {ACCOUNT: ("main", "100000.00"), OTHER: (OTHER, "50000.00")}


async def test_a_trip_closes_and_stops_one_account_only(two: World) -> None:
    desk, mine, others = await both_open(two)
    await desk.desk.upkeep.look(two.now)
    two.broker.more_accounts[OTHER]["NetLiquidation"] = "40000.00"
    two.after(market_s=6)
    await desk.desk.upkeep.look(two.now)
    await desk.turn()
    [halt] = two.halts()
    assert (halt.kind, halt.source, halt.account) == (HaltKind.BREAKER, "drawdown", OTHER)
    [leaving] = two.exits(others.trade_id)
    assert leaving.intent.exit_reason is ExitReason.BREAKER
    assert two.exits(mine.trade_id) == []
    two.broker.fill(leaving.intent.ref)
    await desk.turn()
    mine_next, other_next = both_want(two)
    await desk.turn()
    assert len(two.broker.of(mine_next.ref)) == 1
    assert two.broker.of(other_next.ref) == []
    assert two.stored(other_next.ref).reason.startswith("breaker by drawdown")
    with two.database.transaction() as session:
        books = [BookQuery(session).peek(BookKey(STRATEGY, account, DAY), two.now) for account in (ACCOUNT, OTHER)]
        days = [EquityRepository(session).last(account) for account in (ACCOUNT, OTHER)]
    assert books[0].halted_by is None
    assert (books[1].halted_by or "").startswith("breaker by drawdown")
    assert [str(day.peak_equity_usd) for day in days if day is not None] == ["100000.00", "50000.00"]


async def test_a_trip_withdraws_entries_that_work_in_its_account_only(two: World) -> None:
    desk = await two.desk()
    mine, others = both_want(two)
    await desk.turn()
    await desk.desk.upkeep.look(two.now)
    two.broker.more_accounts[OTHER]["NetLiquidation"] = "40000.00"
    two.after(market_s=6)
    await desk.desk.upkeep.look(two.now)
    await desk.turn()
    assert [two.broker.of(entry.ref)[0].status for entry in (mine, others)] == ["Submitted", "Cancelled"]


async def closed_by_a_person(world: World, desk: Running, number: int) -> str:
    """A trade of the other account, opened and closed again; the reference of its close."""
    entry = await desk.opened(**of_other(number))
    with world.database.transaction() as session:
        asked = CommandRequest(f"key-{number}", CLOSE_ALL, "user:1", world.now, {"scope": OTHER})
        CommandRepository(session).create(asked)
    await desk.turn()
    [leaving] = world.exits(entry.trade_id)
    world.broker.fill(leaving.intent.ref)
    await desk.turn()
    return leaving.intent.ref


async def test_exits_are_numbered_on_in_each_account_after_a_death(two: World) -> None:
    """A number that was used today is another order's."""
    first = await two.desk()
    used = await closed_by_a_person(two, first, 2)
    first.die()
    after = await closed_by_a_person(two, await two.desk(), 3)
    assert [ref.rpartition("-")[2] for ref in (used, after)] == ["X1", "X2"]


async def test_a_difference_in_one_account_blocks_only_that(two: World) -> None:
    desk, _mine, _others = await both_open(two)
    two.broker.move(OTHER, short_leg(), -1)  # the broker holds one more sold than our fills make
    assert not await desk.look_up()
    two.after(market_s=20)
    assert await desk.look_up()
    assert desk.desk.enabled
    await desk.desk.notices.publish_grid(two.now)
    told = desk.live.snapshots[-1]
    other = told.of_account(OTHER)
    assert other is not None
    assert (told.trading_enabled, other.trading_enabled) == (desk.desk.parts.watch.ready(desk.session, two.now), False)
    assert desk.live.clocks[-1].reason == f"books and broker disagree in {OTHER}"
    mine_next, other_next = both_want(two)
    await desk.turn()
    assert len(two.broker.of(mine_next.ref)) == 1
    assert two.stored(other_next.ref).reason == f"books and broker disagree in {OTHER}"
    with two.database.transaction() as session:
        runs = [run for run in ReconciliationRepository(session).recent() if run.differing]
    assert {run.account for run in runs} == {OTHER}


async def test_a_difference_in_the_main_account_is_told_as_its_own(two: World) -> None:
    """What `/api/trading/status` and the scheduler say of the main account."""
    desk, _mine, _others = await both_open(two)
    assert desk.desk.notices.clock_state(two.now).trading_enabled
    two.broker.move(ACCOUNT, short_leg(), -1)
    for _ in range(2):
        await desk.look_up()
        two.after(market_s=20)
    await desk.desk.notices.publish_grid(two.now)
    told, other = desk.live.clocks[-1], desk.live.snapshots[-1].of_account(OTHER)
    assert (told.trading_enabled, told.reason) == (False, f"books and broker disagree in {ACCOUNT}")
    assert desk.desk.enabled, "the other account goes on"
    assert other is not None
    assert other.trading_enabled is desk.desk.parts.watch.ready(desk.session, two.now)


async def test_a_lost_order_is_a_difference_of_its_own_account(two: World) -> None:
    desk = await two.desk()
    intent = two.enter(**of_other())
    await desk.turn()
    [order] = two.broker.of(intent.ref)
    two.broker.orders.remove(order)
    two.broker.orders.append(replace(order, perm_id=0, intent=replace(intent, ref="somebody")))
    recovery = desk.desk._recovery
    assert recovery is not None
    two.after(host_s=1)
    view = await recovery.look_up(two.now)
    judged = await recovery.judge(view, {}, two.now, LOOK)
    assert [finding.kind for finding in judged[OTHER][0].doubts] == [FindingKind.LOST_ORDER]
    assert judged[ACCOUNT][0].doubts == ()


async def test_five_minutes_of_difference_halt_one_account(two: World) -> None:
    desk, _mine, _others = await both_open(two)
    two.broker.move(OTHER, short_leg(), -1)
    for _ in range(3):
        await desk.look_up()
        two.after(market_s=200)
    [halt] = two.halts()
    assert (halt.kind, halt.account) == (HaltKind.BREAKER, OTHER)
    halts = desk.desk.parts.halts
    await halts.refresh(two.now)
    assert halts.entries_halted_by(ACCOUNT) is None
    assert "QTY_DIFF" in (halts.entries_halted_by(OTHER) or "")


async def test_whoever_comes_after_a_death_guards_both(two: World) -> None:
    first, mine, others = await both_open(two)
    first.die()
    second = await two.desk()
    assert {trade.id for trade in second.desk.guard.trades} == {mine.trade_id, others.trade_id}
    two.broker.quotes[SHORT.con_id] = STOPPED
    for _ in range(2):
        two.after(market_s=2)
        await second.turn()
    for entry in (mine, others):
        [leaving] = two.exits(entry.trade_id)
        [order] = two.broker.of(leaving.intent.ref)
        assert order.intent.account == entry.account
        two.broker.fill(leaving.intent.ref, "-6.70")
    await second.turn()
    assert {two.trade(entry.trade_id).state for entry in (mine, others)} == {TradeState.CLOSED}
    assert two.broker.held == {}


async def test_one_account_is_closed_and_the_other_stays(two: World) -> None:
    desk, mine, others = await both_open(two)
    with two.database.transaction() as session:
        request = CommandRequest("key-1", CLOSE_ALL, "user:1", two.now, {"scope": OTHER})
        asked = CommandRepository(session).create(request)[0].id
    await desk.turn()
    [leaving] = two.exits(others.trade_id)
    two.broker.fill(leaving.intent.ref)
    await desk.turn()
    with two.database.transaction() as session:
        done = CommandRepository(session).get(asked)
    assert done is not None
    assert (done.state, done.result["closed"]) == (CommandState.DONE, [others.trade_id])
    assert two.exits(mine.trade_id) == []
    assert {account for account, _con_id in two.broker.held} == {ACCOUNT}


async def test_the_same_entry_in_two_accounts_is_no_flood(two: World) -> None:
    two.flood = replace(two.flood, repeats=1)
    desk = await two.desk()
    entries = both_want(two)
    await desk.turn()
    assert [len(two.broker.of(entry.ref)) for entry in entries] == [1, 1]


def test_one_source_halts_two_accounts_and_each_once(two: World) -> None:
    trip = HaltRequest("daily_loss", "lost", "breaker", two.now, HaltKind.BREAKER, ends_at=two.now + timedelta(hours=4))
    with two.database.transaction() as session:
        halts = HaltRepository(session)
        assert [halts.set(replace(trip, account=account)) for account in (ACCOUNT, OTHER, OTHER)] == [True, True, False]
        assert halts.set(trip)  # and all of them
        assert [halt.account for halt in halts.active(two.now)] == [ACCOUNT, OTHER, None]
        assert halts.known(trip)
        assert not halts.known(replace(trip, account="DU1000003"))
        later = replace(trip, account=OTHER, set_at=two.now + timedelta(hours=9), reason="again")
        assert halts.set(later)  # the one before has ended by itself
