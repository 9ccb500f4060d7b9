"""No answer is no news: look the reference up before anything else (ARCHITECTURE section 7.3, FAULTS 3, 20-22, 29)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

import pytest
from sqlalchemy.orm import Session
from tests.support import record
from tests.support.broker import Execution
from tests.support.desk import FIRST_ID, BorrowedThread, Running, World

from htbot.desk.record import Claim
from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.orders import ExitReason, IntentState, OrderIntent
from htbot.domain.trades import Trade, TradeState
from htbot.marketdata.messages import ConnectionMessage
from htbot.persistence.engine import Database
from htbot.persistence.repositories import DeskStateRepository, IntentRepository
from htbot.services.trade_record import manual_decision, request_exit

T = TypeVar("T")
STOP = {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}


class Unheard(BorrowedThread):
    """The answers of commits that return a certain kind of thing are lost, each once."""

    def __init__(self, name: str, database: Database, kind: type) -> None:
        super().__init__(name, database)
        self._kind, self._lost = kind, set[object]()

    async def run(self, work: Callable[[Session], T]) -> T:
        done = await super().run(work)
        told = done if isinstance(done, list) else [done]
        if any(isinstance(item, self._kind) for item in told) and work not in self._lost:
            self._lost.add(work)
            raise Retryable("PostgreSQL did not answer: server closed the connection unexpectedly")
        return done


async def silent(world: World, desk: Running) -> None:
    """Nobody has answered for longer than the desk waits."""
    world.after(host_s=11)
    await desk.doubt_silent()


async def sent_into_silence(world: World, desk: Running) -> OrderIntent:
    """The broker has the entry, its replies are lost."""
    intent = world.enter()
    desk.session.deaf = True
    await desk.turn()
    return intent


async def test_an_order_waits_ten_seconds_for_its_answer(world: World) -> None:
    desk = await world.desk()
    intent = await sent_into_silence(world, desk)
    world.after(host_s=10)
    await desk.doubt_silent()
    assert world.state(intent.ref) is IntentState.SENDING
    world.after(host_s=1)
    await desk.doubt_silent()
    stored = world.stored(intent.ref)
    assert (stored.state, stored.reason) == (IntentState.UNKNOWN, "no answer within 10 s")


@pytest.mark.fault(21)
async def test_a_lost_reply_is_found_working(world: World) -> None:
    desk = await world.desk()
    intent = await sent_into_silence(world, desk)
    await silent(world, desk)
    assert await desk.look_up()
    assert world.state(intent.ref) is IntentState.WORKING
    assert len(desk.session.placed) == len(world.broker.orders) == 1
    assert desk.desk.enabled


@pytest.mark.fault(21)
async def test_a_lost_fill_is_found_filled_and_booked_once(world: World) -> None:
    desk = await world.desk()
    intent = await sent_into_silence(world, desk)
    world.broker.fill(intent.ref, "-4.25")
    await silent(world, desk)
    await desk.look_up()
    await desk.look_up()
    assert world.state(intent.ref) is IntentState.FILLED
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.credit) == (TradeState.OPEN, Decimal("4.25"))
    assert len(world.fills(intent.ref)) == 2
    assert [guarded.id for guarded in desk.desk.guard.trades] == [intent.trade_id]
    assert world.mails("trade_entry") == 1


@pytest.mark.fault(25)
async def test_nothing_is_enabled_or_sent_again_while_in_doubt(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    desk.session.lost_requests = 1
    await desk.turn()
    await silent(world, desk)
    world.host_s = desk.desk.orders.doubtful[0].asked_at_s + 9.9  # before the settle time is over
    assert not await desk.look_up()
    assert (desk.desk.enabled, desk.desk.reason) == (False, f"in doubt: {intent.ref}")
    assert world.state(intent.ref) is IntentState.UNKNOWN
    assert len(desk.session.placed) == 1


@pytest.mark.fault(22)
async def test_an_absent_entry_expires_after_the_settle_time(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    desk.session.lost_requests = 1
    await desk.turn()
    await silent(world, desk)
    assert await desk.look_up()
    assert world.state(intent.ref) is IntentState.EXPIRED
    assert world.trade(intent.trade_id).state is TradeState.VOID
    assert (len(desk.session.placed), world.broker.orders) == (1, [])


@pytest.mark.fault(22)
async def test_an_absent_close_goes_out_again_under_the_same_id_until_it_arrives(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    desk.session.lost_requests = 2
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    await silent(world, desk)
    await desk.look_up()
    assert world.broker.of(exit_.intent.ref) == []
    await desk.look_up(after_s=9.9)
    assert len(desk.session.placed) == 3, "sent again before the settle time of the second try"
    await desk.look_up(after_s=0.2)
    assert [(ref, order_id) for ref, order_id, _limit in desk.session.placed[1:]] == [
        (exit_.intent.ref, FIRST_ID + 1)
    ] * 3
    [order] = world.broker.of(exit_.intent.ref)
    assert world.state(exit_.intent.ref) is IntentState.WORKING
    world.broker.fill(order.intent.ref)
    await desk.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    assert world.broker.held == {}


@pytest.mark.fault(22)
async def test_a_close_that_arrived_is_never_sent_again(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    desk.session.deaf = True
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    await silent(world, desk)
    await desk.look_up(after_s=60)
    assert world.state(exit_.intent.ref) is IntentState.WORKING
    assert len(world.broker.of(exit_.intent.ref)) == 1
    assert len(desk.session.placed) == 2


async def test_a_broken_socket_leaves_an_order_in_doubt_and_the_look_up_settles_it(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    desk.session.broken = True
    with pytest.raises(ConnectionError):
        await desk.desk.act(world.now)
    desk.desk.orders.doubt_all("session ended")
    assert world.state(intent.ref) is IntentState.SENDING
    desk.session.broken = False
    await desk.desk.connect()
    await desk.recover()
    await desk.look_up(after_s=11)
    assert world.state(intent.ref) is IntentState.EXPIRED
    assert len(desk.session.placed) == 1


async def test_a_broker_that_has_just_come_back_is_given_its_settle_time(world: World) -> None:
    """A gateway lists its orders some time after it took the connection: its first silence proves nothing."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    world.after(host_s=3600)
    listed, world.broker.orders = world.broker.orders, []
    desk.desk.orders.doubt_all("session ended")
    await desk.desk.connect()
    await desk.recover()
    assert world.state(intent.ref) is IntentState.WORKING
    assert [live.intent.ref for live in desk.desk.orders.doubtful] == [intent.ref]
    world.broker.orders = listed
    assert await desk.look_up(after_s=9)
    assert world.trade(intent.trade_id).state is TradeState.OPENING
    assert desk.desk.orders.doubtful == []


@pytest.mark.parametrize("fate", ["lost", "working", "filled"])
@pytest.mark.fault(3)
async def test_a_desk_killed_after_the_send_is_taken_over(world: World, fate: str) -> None:
    first = await world.desk()
    intent = world.enter()
    first.session.deaf = True
    first.session.lost_requests = int(fate == "lost")
    await first.turn()
    if fate == "filled":
        world.broker.fill(intent.ref)
    first.die()
    second = await world.desk()
    world.after(host_s=11)
    await second.look_up()
    expected = {"lost": IntentState.EXPIRED, "working": IntentState.WORKING, "filled": IntentState.FILLED}
    assert world.state(intent.ref) is expected[fate]
    assert world.stored(intent.ref).claim_epoch == 2
    assert second.session.placed == []
    assert len(world.broker.orders) == (fate != "lost")


@pytest.mark.fault(3)
async def test_an_intent_claimed_and_never_sent_waits_again(world: World) -> None:
    intent = world.enter()
    with world.database.transaction() as session:
        epoch = DeskStateRepository(session).begin_epoch()
        assert len(IntentRepository(session).claim_some(epoch, world.now, 1)) == 1
    desk = await world.desk()
    assert world.state(intent.ref) is IntentState.PENDING
    await desk.turn()
    assert world.state(intent.ref) is IntentState.WORKING
    assert len(desk.session.placed) == 1


@pytest.mark.fault(9)
@pytest.mark.ruling(9)
async def test_an_open_trade_is_guarded_after_a_restart(world: World) -> None:
    first = await world.desk()
    intent = await first.opened()
    first.die()
    world.after(market_s=60)
    second = await world.desk()
    assert second.desk.enabled
    world.broker.quotes |= STOP
    await second.turn()
    [exit_] = world.exits(intent.trade_id)
    assert exit_.state is IntentState.WORKING
    assert second.session.placed[0][:2] == (exit_.intent.ref, FIRST_ID + 1)


@pytest.mark.fault(4)
async def test_what_an_earlier_desk_writes_is_refused(world: World) -> None:
    """FAULTS 4: a sender that wakes up after its successor has begun."""
    first = await world.desk()
    intent = await sent_into_silence(world, first)
    second = await world.desk()
    first.session.deaf = False
    world.broker.tell(world.broker.working(intent.ref).as_status())
    with pytest.raises(StopTrading, match="another desk took over"):
        await first.hear()
    await second.hear()
    stored = world.stored(intent.ref)
    assert (stored.state, stored.claim_epoch) == (IntentState.WORKING, 2)


@pytest.mark.fault(6)
async def test_two_desks_never_send_the_same_intent(world: World) -> None:
    first = await world.desk()
    second = await world.desk()
    intent = world.enter()
    await first.desk.act(world.now)
    assert first.session.placed == []
    await second.turn()
    await first.desk.act(world.now)
    assert (len(first.session.placed), len(second.session.placed)) == (0, 1)
    assert [order.intent.ref for order in world.broker.orders] == [intent.ref]


async def test_a_close_whose_claim_was_committed_unheard_is_sent_all_the_same(world: World) -> None:
    """The commit arrives, its answer does not: the intent is SENDING in the record and in nobody's memory."""
    desk = await world.desk()
    intent = await desk.opened()
    with world.database.transaction() as session:
        assert request_exit(session, intent.trade_id, manual_decision(ExitReason.MANUAL, world.now, "a task"))
    orders = desk.desk.orders
    orders._parts = replace(orders._parts, database=Unheard("unheard", world.database, Claim))
    world.threads.append(orders._parts.database)
    with pytest.raises(Retryable):
        await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert (exit_.state, len(desk.session.placed)) == (IntentState.SENDING, 1)
    assert not await desk.look_up(after_s=9)
    await desk.look_up(after_s=2)
    assert world.state(exit_.intent.ref) is IntentState.WORKING
    assert [order.order_id for order in world.broker.of(exit_.intent.ref)] == [exit_.order_id]


async def test_a_fill_whose_commit_was_not_heard_is_guarded(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    orders = desk.desk.orders
    orders._parts = replace(orders._parts, database=Unheard("unheard", world.database, Trade))
    world.threads.append(orders._parts.database)
    world.broker.tell(*world.broker.execute(world.broker.working(intent.ref), Decimal("-4.25"), 1))
    await desk.hear()
    assert len(world.fills(intent.ref)) == 2
    assert [trade.state for trade in desk.desk.guard.trades] == [TradeState.OPEN]


@pytest.mark.fault(26)
async def test_fills_during_an_outage_are_booked_when_it_ends(world: World) -> None:
    """FAULTS 26: 1100, a fill, 1102."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    desk.session.sink(ConnectionMessage(connected=False, code=1100, text="Connectivity lost"))
    await desk.hear()
    assert (desk.desk.enabled, desk.desk.connection) == (False, "lost")
    desk.session.deaf = True
    world.broker.fill(intent.ref)
    desk.session.deaf = False
    desk.session.sink(ConnectionMessage(connected=True, code=1102, text="Connectivity restored"))
    await desk.hear()
    assert world.state(intent.ref) is IntentState.FILLED
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    assert desk.desk.enabled


@pytest.mark.parametrize(("code", "taken_anew"), [(1101, True), (1102, False)])
async def test_lines_that_the_broker_has_forgotten_are_taken_anew(world: World, code: int, taken_anew: bool) -> None:
    """Without them no stop would ever be seen again."""
    desk = await world.desk()
    await desk.opened()
    await desk.desk.follow_lines(world.now)
    streamed, dropped = desk.session.subscribed, set[int]()
    drop = desk.session.unsubscribe
    desk.session.unsubscribe = lambda con_id: (dropped.add(con_id), drop(con_id))  # type: ignore[method-assign]
    desk.session.sink(ConnectionMessage(connected=False, code=1100, text="Connectivity lost"))
    desk.session.sink(ConnectionMessage(connected=True, code=code, text="restored", data_lost=code == 1101))
    await desk.hear()
    assert {record.SHORT.con_id, record.LONG.con_id} <= streamed == desk.session.subscribed
    assert (streamed <= dropped) is taken_anew


@pytest.mark.fault(26)
async def test_a_new_entry_waits_while_the_broker_is_away(world: World) -> None:
    desk = await world.desk()
    desk.session.sink(ConnectionMessage(connected=False, code=1100, text="Connectivity lost"))
    await desk.hear()
    intent = world.enter()
    await desk.turn()
    assert (world.state(intent.ref), desk.session.placed) == (IntentState.PENDING, [])


@pytest.mark.fault(38)
async def test_an_order_under_two_permanent_ids_works_while_one_does(world: World) -> None:
    """FAULTS 38."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    twin = world.broker.accept(intent, 1, desk.session.client_id, intent.limit)
    world.broker.of(intent.ref)[0].status = "Cancelled"
    desk.desk.orders.doubt_all("reconnected")
    await desk.look_up()
    assert world.state(intent.ref) is IntentState.WORKING
    twin.status = "Cancelled"
    desk.desk.orders.doubt_all("reconnected")
    await desk.look_up()
    assert world.state(intent.ref) is IntentState.WORKING, "a third may not be shown yet"
    await desk.look_up(after_s=11)
    assert world.state(intent.ref) is IntentState.CANCELLED


@pytest.mark.fault(38)
async def test_an_end_under_one_of_two_permanent_ids_is_no_end(world: World) -> None:
    """FAULTS 38: what was cancelled is one of them, the other still works and may fill."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    first = world.broker.of(intent.ref)[0]
    twin = world.broker.accept(intent, 1, desk.session.client_id, intent.limit)
    world.broker.tell(twin.as_message())
    first.status = "Cancelled"
    world.broker.tell(first.as_status())
    await desk.hear()
    assert world.state(intent.ref) is IntentState.UNKNOWN
    assert world.trade(intent.trade_id).state is TradeState.OPENING
    await desk.look_up()
    assert world.state(intent.ref) is IntentState.WORKING


async def test_a_close_that_ends_unheard_is_looked_up_and_asked_for_again(world: World) -> None:
    """The broker has ended it and its word was lost: the look-up finds it, whatever our memory says."""
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert exit_.state is IntentState.WORKING
    world.broker.working(exit_.intent.ref).status = "Cancelled"
    await desk.look_up(after_s=60)
    await desk.look_up(after_s=11)
    assert world.state(exit_.intent.ref) is IntentState.CANCELLED
    await desk.turn()
    world.after(market_s=5)
    await desk.turn()
    assert world.exits(intent.trade_id)[-1].state is IntentState.WORKING


@pytest.mark.fault(22)
async def test_a_close_that_vanished_goes_out_again_under_its_id(world: World) -> None:
    """FAULTS: a paper server drops orders without a word. Silence has to last before it proves absence."""
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    [dropped] = world.broker.of(exit_.intent.ref)
    world.broker.orders.remove(dropped)
    await desk.look_up(after_s=60)
    assert (world.state(exit_.intent.ref), world.broker.of(exit_.intent.ref)) == (IntentState.UNKNOWN, [])
    await desk.look_up(after_s=11)
    assert [order.order_id for order in world.broker.of(exit_.intent.ref)] == [dropped.order_id]
    assert world.state(exit_.intent.ref) is IntentState.WORKING


async def test_a_trade_without_a_desk_is_counted_as_unprotected(world: World) -> None:
    first = await world.desk()
    await first.opened()
    await first.desk.notices.publish_grid(world.now)
    first.die()
    world.after(market_s=40)
    second = await world.desk()
    assert second.desk.protection.unprotected_s == 40.0
    await second.look()
    assert not second.desk.guard.exposed(world.now)
    second.session.hang_up()
    assert second.desk.guard.exposed(world.now)


async def test_an_order_that_ends_while_the_broker_is_asked_does_not_come_back(world: World) -> None:
    """The answer shows it working, for it was given before the end."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    executions, inbox = desk.session.executions, desk.desk.parts.inbox

    async def meanwhile() -> list[Execution]:
        world.after(host_s=1)
        world.broker.end(intent.ref, "Cancelled")
        while not inbox.empty():
            desk.desk.fold(inbox.get_nowait())
        return await executions()

    desk.session.executions = meanwhile  # type: ignore[method-assign]
    await desk.desk.reconcile(world.now)
    assert world.state(intent.ref) is IntentState.CANCELLED
    assert desk.desk.orders.of_ref(intent.ref) is None
