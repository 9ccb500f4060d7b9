"""Exits leave whatever has become of PostgreSQL, once each, and the record learns of them (RULINGS 1)."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from decimal import Decimal
from uuid import UUID

import pytest
from tests.support import record
from tests.support.desk import QUOTES, Running, World
from tests.support.waiting import PATIENCE_S

from htbot.desk.line import Line
from htbot.domain.errors import CallerMistake, Retryable
from htbot.domain.orders import ExitReason, IntentState
from htbot.domain.trades import TradeState
from htbot.execution.messages import ErrorMessage
from htbot.persistence.repositories import CommandRepository, CommandRequest
from htbot.persistence.states import CommandState
from htbot.services.commands import CLOSE_ALL, EVERY_ACCOUNT
from htbot.services.desk_line import DeskLine
from htbot.services.trade_record import manual_decision, request_exit

STOP = {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
pytestmark = [pytest.mark.ruling(1), pytest.mark.fault(14)]


async def stopped_out_in_the_dark(world: World) -> tuple[Running, str]:
    """PostgreSQL is dead and the stop has been crossed."""
    desk = await world.desk()
    intent = await desk.opened()
    desk.postgres(dead=True)
    world.broker.quotes |= STOP
    world.after(market_s=5)
    hear(desk)
    assert desk.desk.guard.look(world.now) == 1
    await desk.desk.guard.settle()
    return desk, intent.trade_id


def hear(desk: Running) -> None:
    """What the broker has told, with nothing written."""
    inbox = desk.desk.parts.inbox
    while not inbox.empty():
        desk.desk.fold(inbox.get_nowait())


async def test_a_fill_that_is_told_before_the_journal_is_read_is_booked_and_halts_nothing(world: World) -> None:
    """The broker tells of executions as soon as the session stands; the record has not heard of the close by then."""
    first, trade_id = await stopped_out_in_the_dark(world)
    [_, (ref, _, _)] = first.session.placed
    first.die()
    second = await world.desk(recover=False)
    world.broker.fill(ref)
    world.broker.report_commissions(ref)
    hear(second)
    await second.desk.ledger.settle()
    await second.recover()
    await second.turn()
    assert world.halts() == []
    assert world.trade(trade_id).state is TradeState.CLOSED


async def test_the_stop_closes_once_and_the_record_learns_of_it(world: World) -> None:
    desk, trade_id = await stopped_out_in_the_dark(world)
    [_, (ref, order_id, _limit)] = desk.session.placed
    assert world.exits(trade_id) == [], "the record knows nothing"
    for _ in range(5):
        world.after(market_s=1)
        assert desk.desk.guard.look(world.now) == 0
    world.broker.fill(ref)
    world.broker.report_commissions(ref)
    hear(desk)
    assert desk.desk.guard.trades == [], "memory knows that it is closed"
    desk.postgres(dead=False)
    await desk.desk.ledger.settle()
    [exit_] = world.exits(trade_id)
    assert (exit_.intent.ref, exit_.order_id, exit_.state) == (ref, order_id, IntentState.FILLED)
    assert exit_.evidence["marks"], "with the quotes that it was decided on (RULINGS 6)"
    trade = world.trade(trade_id)
    assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, ExitReason.STOP_LOSS)
    assert len(world.broker.of(ref)) == 1


@pytest.mark.fault(9)
async def test_a_desk_that_dies_in_the_dark_is_told_by_its_journal(world: World) -> None:
    first, trade_id = await stopped_out_in_the_dark(world)
    ref = first.session.placed[1][0]
    first.die()
    world.broker.fill(ref)
    second = await world.desk()
    await second.look_up()
    assert [stored.intent.ref for stored in world.exits(trade_id)] == [ref]
    assert world.trade(trade_id).state is TradeState.CLOSED
    assert second.session.placed == []
    third = Running(world, second.desk.clock)
    assert third.journal.open() == [], "what the record has taken over is not told again"


@pytest.mark.fault(3)
async def test_a_close_that_was_promised_and_never_sent_leaves_under_its_own_id(world: World) -> None:
    first = await world.desk()
    intent = await first.opened()
    first.session.broken = True  # the desk dies between its journal and the socket
    world.broker.quotes |= STOP
    world.after(market_s=5)
    hear(first)
    first.desk.guard.look(world.now)
    await first.desk.guard.settle()
    promised = json.loads(world.journal_file.read_text().splitlines()[-1][9:])
    second = await world.desk()
    await second.turn()
    assert second.session.placed == [], "not before the settle time is over"
    await second.look_up(after_s=11)
    [(ref, order_id, _)] = second.session.placed
    assert (ref, order_id) == (promised[2]["intent"]["ref"], promised[2]["order_id"])
    world.broker.fill(ref)
    await second.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED


@pytest.mark.fault(3)
async def test_a_close_that_is_told_again_after_its_end_takes_no_other_exit_with_it(world: World) -> None:
    """The desk died between its commit and the journal's mark, and a task has asked for the next exit since."""
    first = await world.desk()
    intent = await first.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await first.turn()
    [ended] = world.exits(intent.trade_id)
    world.broker.end(ended.intent.ref)
    await first.hear()
    first.die()
    first.journal.close()
    world.journal_file.write_bytes(world.journal_file.read_bytes().splitlines(keepends=True)[0])
    asked = manual_decision(ExitReason.MANUAL, world.now, "a person")
    with world.database.transaction() as session:
        waiting = request_exit(session, intent.trade_id, asked)
    assert waiting is not None
    world.broker.quotes |= QUOTES  # the guard wants nothing
    second = await world.desk()
    await second.turn()
    assert world.state(waiting.intent.ref) is IntentState.WORKING


async def test_what_left_is_what_the_record_shows_when_a_task_had_asked_for_the_same_exit(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    with world.database.transaction() as session:
        waiting = request_exit(session, intent.trade_id, manual_decision(ExitReason.MANUAL, world.now, "a person"))
    assert waiting is not None
    world.broker.quotes |= STOP
    world.after(market_s=5)
    hear(desk)
    assert desk.desk.guard.look(world.now) == 1
    await desk.desk.guard.settle()
    await desk.desk.ledger.settle()
    [stored] = world.exits(intent.trade_id)
    live = desk.desk.orders.of_ref(waiting.intent.ref)
    assert live is not None
    assert stored.intent == live.intent
    assert stored.intent.exit_reason is ExitReason.STOP_LOSS


@pytest.mark.fault(20)
async def test_a_command_is_taken_while_the_session_breaks(world: World) -> None:
    """The line lives on, and the entry is cancelled once the broker is back."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    desk.session.broken = True
    request = CommandRequest("line:1", CLOSE_ALL, "test", world.now, {"scope": EVERY_ACCOUNT})
    command = await desk.desk.trading.commands.hear(request)
    assert command.idempotency_key == "line:1"
    desk.session.broken = False
    await desk.desk.connect()
    await desk.recover()
    await desk.look_up(after_s=11)
    await desk.turn()
    assert world.state(intent.ref) is IntentState.CANCELLED


@pytest.mark.fault(3)
async def test_what_has_ended_in_memory_is_not_taken_over_from_a_record_that_is_behind(world: World) -> None:
    """A close was refused, the next one works, and a session ends before the record has heard of either."""
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    desk.session.deaf = True
    await desk.turn()
    desk.session.deaf = False
    [refused] = world.exits(intent.trade_id)
    desk.postgres(dead=True)
    world.broker.orders.remove(world.broker.working(refused.intent.ref))  # it never worked: nobody lists it
    desk.session.sink(ErrorMessage(refused.order_id or 0, 201, "Order rejected - reason: margin"))
    hear(desk)
    world.after(market_s=5)
    assert desk.desk.guard.look(world.now) == 1
    await desk.desk.guard.settle()
    desk.postgres(dead=False)
    await desk.desk.recover()
    world.after(host_s=11)
    await desk.desk.reconcile(world.now)
    assert [order.intent.ref for order in world.broker.orders if order.working] == [f"{refused.intent.ref[:-1]}2"]


@pytest.mark.fault(30)
async def test_a_promised_id_that_the_broker_refuses_as_used_is_dead(world: World) -> None:
    """103 to a close that nobody knows: the next close leaves under a new reference and a new id."""
    desk = await world.desk()
    intent = await desk.opened()
    desk.session.reject = (103, "Duplicate order id")
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await desk.turn()
    [first] = world.exits(intent.trade_id)
    assert first.state is IntentState.UNKNOWN
    desk.session.reject = None
    await desk.look_up(after_s=11)
    world.after(market_s=2)
    await desk.turn()
    first, second = world.exits(intent.trade_id)
    assert (first.state, second.state) == (IntentState.REJECTED, IntentState.WORKING)
    assert second.order_id > first.order_id


async def test_a_close_that_somebody_asked_for_outlives_its_dead_id(world: World) -> None:
    """Nobody's condition holds here: a task has asked once, and the refusal must not be the end of it."""
    desk = await world.desk()
    intent = await desk.opened()
    with world.database.transaction() as session:
        request_exit(session, intent.trade_id, manual_decision(ExitReason.MANUAL, world.now, "a task"))
    desk.session.reject = (103, "Duplicate order id")
    await desk.turn()
    await desk.look_up(after_s=11)
    [first] = world.exits(intent.trade_id)
    assert first.state is IntentState.REJECTED
    desk.die()
    world.after(market_s=5)
    second = await world.desk()
    await second.turn()
    first, again = world.exits(intent.trade_id)
    assert (again.intent.exit_reason, again.state) == (ExitReason.MANUAL, IntentState.WORKING)
    assert again.order_id > first.order_id


async def test_a_full_disk_and_a_living_record_close_all_the_same(world: World) -> None:
    """FAULTS 18 for the journal: the record promises instead."""
    desk = await world.desk()
    intent = await desk.opened()
    world.journal_file.unlink()
    world.journal_file.mkdir()
    desk.journal.close()
    desk.journal.__init__(world.journal_file)  # type: ignore[misc]
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert [ref for ref, _, _ in desk.session.placed] == [intent.ref, exit_.intent.ref]


async def test_flatten_by_the_line_and_by_file(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    folder = world.stop_file.parent
    desk.postgres(dead=True)
    line = asyncio.ensure_future(Line(desk.desk, folder, world.stop_file).serve())
    try:
        caller = DeskLine(folder)
        told = await asyncio.to_thread(_patient, caller, {"do": "flatten", "by": "user:1"})
        again = await asyncio.to_thread(caller.ask, {"do": "flatten", "by": "user:2"})
        status = await asyncio.to_thread(caller.ask, {"do": "status"})
        with pytest.raises(CallerMistake, match="unknown request"):
            await asyncio.to_thread(caller.ask, {"do": "dance"})
    finally:
        line.cancel()
    await desk.desk.guard.settle()
    assert told["command_id"] == again["command_id"], "a second flatten joins"
    assert status["open"] == [intent.trade_id]
    [_, (ref, _, limit)] = desk.session.placed
    assert limit == Decimal("-4.45")  # natural 4.40 and a tick
    world.broker.fill(ref)
    desk.postgres(dead=False)
    await desk.turn()
    await desk.turn()
    with world.database.transaction() as session:
        command = CommandRepository(session).get(UUID(str(told["command_id"])))
    assert command is not None
    assert command.state is CommandState.DONE
    assert world.trade(intent.trade_id).exit_reason is ExitReason.MANUAL


def _patient(caller: DeskLine, request: dict[str, str]) -> dict[str, object]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return caller.ask(request)
        except Retryable:  # the line is not up yet
            assert time.monotonic() < deadline
            time.sleep(0.01)


async def test_a_new_desk_knows_every_number_that_the_day_has_used(world: World) -> None:
    """Nothing is open when it starts: the next close is X2 all the same, for X1 stands for another trade."""
    first = await world.desk()
    intent = await first.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await first.turn()
    [exit_] = world.exits(intent.trade_id)
    world.broker.fill(exit_.intent.ref)
    world.broker.report_commissions(exit_.intent.ref)
    await first.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    first.die()
    second = await world.desk()
    later = await second.opened(number=2)
    world.after(market_s=5)
    await second.turn()
    [again] = world.exits(later.trade_id)
    assert again.intent.ref == exit_.intent.ref.replace("-X1", "-X2")
    assert world.halts() == []


@pytest.mark.ruling(10)
async def test_a_close_that_was_never_seen_does_not_open_what_is_gone_by_now(world: World) -> None:
    """Promised, not sent, and a person has closed it in TWS meanwhile."""
    first = await world.desk()
    intent = await first.opened()
    first.session.broken = True
    world.broker.quotes |= STOP
    world.after(market_s=5)
    hear(first)
    first.desk.guard.look(world.now)
    await first.desk.guard.settle()
    first.die()
    world.broker.held.clear()
    second = await world.desk()
    await second.look_up(after_s=11)
    [exit_] = world.exits(intent.trade_id)
    assert (exit_.state, second.session.placed) == (IntentState.EXPIRED, [])


@pytest.mark.fault(9)
async def test_a_close_that_followed_another_in_the_dark_is_in_the_record(world: World) -> None:
    """X1 was cancelled and X2 sent while PostgreSQL was away, and the desk died: X2 is looked up, nothing is sent."""
    first = await world.desk()
    intent = await first.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await first.turn()
    [x1] = world.exits(intent.trade_id)
    first.postgres(dead=True)
    world.broker.end(x1.intent.ref)
    hear(first)
    world.after(market_s=5)
    hear(first)
    assert first.desk.guard.look(world.now) == 1
    await first.desk.guard.settle()
    x2 = first.session.placed[-1][0]
    assert x2 != x1.intent.ref
    first.die()
    second = await world.desk()
    await second.look_up()
    states = {stored.intent.ref: stored.state for stored in world.exits(intent.trade_id)}
    assert states == {x1.intent.ref: IntentState.CANCELLED, x2: IntentState.WORKING}
    assert (second.session.placed, world.halts()) == ([], [])


async def test_the_flatten_file_asks_once_and_its_key_stays_used(world: World) -> None:
    desk = await world.desk()
    first = await desk.opened()
    line = Line(desk.desk, world.stop_file.parent, world.stop_file)
    world.stop_file.with_name("FLATTEN").touch()
    await line._look_at_file()
    await desk.desk.guard.settle()
    [(_, _, _), (ref, _, _)] = desk.session.placed
    world.broker.fill(ref)
    for _ in range(3):
        await desk.turn()
    assert world.trade(first.trade_id).state is TradeState.CLOSED
    second = await desk.opened(number=2)
    await line._look_at_file()
    await desk.turn()
    assert world.trade(second.trade_id).state is TradeState.OPEN, "the file has asked before"
    desk.die()
    restarted = await world.desk()
    await Line(restarted.desk, world.stop_file.parent, world.stop_file)._look_at_file()
    await restarted.turn()
    assert world.trade(second.trade_id).state is TradeState.OPEN


async def test_a_disk_that_hangs_holds_up_the_close_alone_and_nothing_leaves_that_nobody_has_promised(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    disk = threading.Event()
    monkeypatch.setattr(desk.journal, "_quick", False)
    monkeypatch.setattr(os, "fdatasync", lambda _descriptor: disk.wait())
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await desk.hear()
    assert desk.desk.guard.look(world.now) == 1
    entry = world.enter(2, strategy="other", id="other-1", opened_at=world.now)
    try:
        await desk.desk.act(world.now)
        for _ in range(3):
            world.after(host_s=11)
            desk.desk.orders.doubt_silent(world.now)
            await desk.desk.reconcile(world.now)
        assert [ref for ref, _id, _limit in desk.session.placed] == [intent.ref, entry.ref]
    finally:
        disk.set()
    await desk.desk.guard.settle()
    for _ in range(4):  # its id is too low by now: the broker refuses it, and the guard asks for the next
        await desk.look_up(after_s=11)
        world.after(market_s=5)
        await desk.turn()
    [close] = [one for one in world.broker.orders if one.intent.exit_reason]
    assert (close.intent.trade_id, close.working) == (intent.trade_id, True)
