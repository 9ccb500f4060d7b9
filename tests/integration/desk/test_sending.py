"""Claim, reserve, commit, send; acknowledged, filled by legs, closed (ARCHITECTURE section 7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support import plain, record
from tests.support.desk import CLIENT, FIRST_ID, World

from htbot.desk.order_numbers import GAP
from htbot.domain.orders import ExitReason, IntentState, OrderIntent, OrderState
from htbot.domain.trades import TradeState
from htbot.execution.messages import BagExecutionMessage, ErrorMessage
from htbot.marketdata.messages import QuoteMessage
from htbot.persistence.repositories import DeskStateRepository, HaltRepository, HaltRequest, PositionRepository
from htbot.risk.flood import FloodLimits


@pytest.mark.fault(3)
async def test_sending_is_committed_before_the_socket(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    seen: list[tuple[IntentState, int | None, int]] = []

    def look(sent: OrderIntent, order_id: int, limit: Decimal) -> None:
        stored = world.stored(sent.ref)  # another connection: sees what is committed
        seen.append((stored.state, stored.order_id, order_id))

    desk.session.on_place = look
    await desk.desk.act(world.now)
    assert seen == [(IntentState.SENDING, FIRST_ID, FIRST_ID)]
    assert desk.session.placed == [(intent.ref, FIRST_ID, Decimal("-4.25"))]
    stored = world.stored(intent.ref)
    assert (stored.client_id, stored.claim_epoch) == (CLIENT, 1)


async def test_the_acknowledgement_makes_it_work(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    assert world.state(intent.ref) is IntentState.WORKING
    order = world.order(intent.ref)
    assert order is not None
    assert (order.state, order.order_id, order.client_id, order.perm_id) == (
        OrderState.SUBMITTED,
        FIRST_ID,
        CLIENT,
        9000,
    )


@pytest.mark.ruling(3)
async def test_legs_are_booked_and_the_combination_never(world: World) -> None:
    """RULINGS 3."""
    desk = await world.desk()
    intent = await desk.opened()
    assert any(isinstance(told, BagExecutionMessage) for told in world.broker.executions_today)
    assert [(fill.con_id, fill.signed_quantity, fill.price) for fill in world.fills(intent.ref)] == [
        (record.SHORT.con_id, -1, Decimal("6.25")),
        (record.LONG.con_id, 1, Decimal("2.00")),
    ]
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.credit, trade.quantity) == (TradeState.OPEN, Decimal("4.25"), 1)
    assert trade.commissions_usd == Decimal("2.46")
    assert world.state(intent.ref) is IntentState.FILLED
    with world.database.transaction() as session:
        held = {row.con_id: row.quantity for row in PositionRepository(session).of_account(record.ACCOUNT)}
    assert held == {record.SHORT.con_id: -1, record.LONG.con_id: 1}
    assert world.mails("trade_entry") == 1
    assert world.halts() == []


async def test_a_trade_is_closed_once_and_told_once_its_commissions_are_known(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.after(market_s=60)
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}  # natural cost 6.70
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert (exit_.intent.exit_reason, exit_.state) == (ExitReason.STOP_LOSS, IntentState.WORKING)
    assert world.trade(intent.trade_id).state is TradeState.CLOSING
    world.broker.fill(exit_.intent.ref, "-6.70")
    await desk.turn()
    closed = world.trade(intent.trade_id)
    assert (closed.state, closed.debit, closed.gross_pnl_usd) == (TradeState.CLOSED, Decimal("6.70"), Decimal(-245))
    assert (closed.commissions_usd, world.mails("trade_exit")) == (None, 0)
    world.broker.report_commissions(exit_.intent.ref)
    world.broker.report_commissions(exit_.intent.ref)
    await desk.turn()
    closed = world.trade(intent.trade_id)
    assert (closed.net_pnl_usd, world.mails("trade_exit")) == (Decimal("-249.92"), 1)
    assert len(desk.session.placed) == 2
    assert world.broker.held == {}


@pytest.mark.fault(35)
async def test_executions_told_again_change_nothing(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    before = (world.trade(intent.trade_id), world.fills(intent.ref))
    world.broker.tell(*world.broker.executions_today)
    await desk.hear()
    assert (world.trade(intent.trade_id), world.fills(intent.ref)) == before
    assert (world.halts(), world.mails("trade_entry")) == ([], 1)


@pytest.mark.fault(34)
async def test_partial_fills_add_up(world: World) -> None:
    desk = await world.desk()
    intent = world.enter(quantity=3)
    await desk.turn()
    world.broker.fill(intent.ref, "-4.25", 1)
    await desk.hear()
    assert world.order(intent.ref).state is OrderState.PARTIAL  # type: ignore[union-attr]
    assert (world.trade(intent.trade_id).quantity, world.mails("trade_entry")) == (1, 0)
    world.broker.fill(intent.ref, "-4.10", 2)
    await desk.hear()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.quantity, trade.credit) == (TradeState.OPEN, 3, Decimal("4.15"))
    assert world.state(intent.ref) is IntentState.FILLED
    assert (world.mails("trade_entry"), world.halts()) == (1, [])


async def test_a_partly_filled_entry_that_is_cancelled_is_guarded_with_what_it_got(world: World) -> None:
    desk = await world.desk()
    intent = world.enter(quantity=3)
    await desk.turn()
    world.broker.fill(intent.ref, "-4.25", 2)
    world.broker.end(intent.ref)
    world.broker.quotes |= {record.SHORT.con_id: (9.60, 9.70), record.LONG.con_id: (2.00, 2.10)}
    await desk.turn()
    assert world.state(intent.ref) is IntentState.CANCELLED
    [exit_] = world.exits(intent.trade_id)
    assert exit_.intent.quantity == 2
    world.broker.fill(exit_.intent.ref)
    await desk.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    assert world.broker.held == {}


@pytest.mark.parametrize("switch", ["file", "row"])
async def test_a_halted_entry_is_withdrawn_and_its_trade_void(world: World, switch: str) -> None:
    desk = await world.desk()
    intent = world.enter()
    if switch == "file":
        world.stop_file.touch()
    else:
        with world.database.transaction() as session:
            HaltRepository(session).set(HaltRequest("api", "enough", "user:1", world.now))
    await desk.desk.parts.halts.refresh(world.now)
    await desk.turn()
    assert desk.session.placed == []
    assert world.state(intent.ref) is IntentState.WITHDRAWN
    assert world.trade(intent.trade_id).state is TradeState.VOID


@pytest.mark.fault(41)
@pytest.mark.ruling(13)
async def test_a_stop_file_between_commit_and_socket_stops_the_order(world: World) -> None:
    """ARCHITECTURE section 7.2: the last look is after the commit."""
    desk = await world.desk()
    intent = world.enter()
    record_of_desk = desk.desk.orders._parts.record

    class Interrupted(type(record_of_desk)):  # type: ignore[misc]
        def claim(self, *arguments: object, **terms: object) -> object:
            claim = super().claim(*arguments, **terms)
            world.stop_file.touch()
            return claim

    desk.desk.orders._parts = replace(
        desk.desk.orders._parts, record=Interrupted(record_of_desk.epoch, record_of_desk.client_id)
    )
    await desk.turn()
    stored = world.stored(intent.ref)
    assert (stored.state, stored.order_id) == (IntentState.WITHDRAWN, FIRST_ID)
    assert (desk.session.placed, list(desk.desk.orders.live)) == ([], [])
    assert world.trade(intent.trade_id).state is TradeState.VOID


@pytest.mark.ruling(13)
@pytest.mark.fault(41)
async def test_exits_leave_while_halted(world: World) -> None:
    """RULINGS 13: nothing here stops a close."""
    desk = await world.desk()
    intent = await desk.opened()
    world.stop_file.touch()
    await desk.desk.parts.halts.refresh(world.now)
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    world.after(market_s=5)
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert exit_.state is IntentState.WORKING


@pytest.mark.parametrize(("late_s", "reason"), [(31, "approved at"), (41, "good till")])
@pytest.mark.ruling(17)
@pytest.mark.ruling(8)
async def test_an_entry_that_is_too_old_expires_unsent(world: World, late_s: float, reason: str) -> None:
    """RULINGS 17."""
    desk = await world.desk()
    intent = world.enter()
    world.now = intent.created_at
    world.after(market_s=late_s)
    await desk.turn()
    stored = world.stored(intent.ref)
    assert (stored.state, desk.session.placed) == (IntentState.EXPIRED, [])
    assert stored.reason.startswith(reason)
    assert world.trade(intent.trade_id).state is TradeState.VOID


async def test_an_entry_of_thirty_seconds_is_still_sent(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    world.now = intent.created_at
    world.after(market_s=30)
    await desk.turn()
    assert world.state(intent.ref) is IntentState.WORKING


async def test_exits_are_sent_before_entries(world: World) -> None:
    desk = await world.desk()
    first = await desk.opened()
    second = record.entry(record.trade(2, account="DU2"), 2)
    world.enter(2, strategy="other")
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    world.now = second.created_at
    await desk.turn()
    exit_ref = world.exits(first.trade_id)[0].intent.ref
    assert desk.session.placed[1][0] == exit_ref
    assert len(desk.session.placed) == 3


@pytest.mark.fault(29)
async def test_an_id_is_never_used_twice_when_the_broker_counts_back(world: World) -> None:
    """FAULTS 29: 38103 became 38099 after a nightly restart."""
    world.broker.next_valid_id = 38103
    desk = await world.desk()
    first = world.enter()
    await desk.turn()
    world.broker.end(first.ref)
    await desk.turn()
    assert world.stored(first.ref).order_id == 38102 + GAP
    desk.die()
    world.broker.next_valid_id = 38099
    desk = await world.desk()
    second = world.enter(2)
    world.now = second.created_at
    await desk.turn()
    assert world.stored(second.ref).order_id == 38102 + 2 * GAP


async def test_another_client_id_counts_on_its_own(world: World) -> None:
    with world.database.transaction() as session:
        DeskStateRepository(session).set("order_id:99", "500")
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    assert world.stored(intent.ref).order_id == FIRST_ID


async def test_the_limit_walks_and_modifies_under_the_same_id(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    for _ in range(4):
        world.after(market_s=5)
        await desk.turn()
    ids = {order_id for _ref, order_id, _limit in desk.session.placed}
    limits = [limit for _ref, _order_id, limit in desk.session.placed]
    assert ids == {FIRST_ID}
    assert limits == sorted(limits)
    assert len(set(limits)) == len(limits) > 1
    assert limits[-1] <= Decimal("-4.10")
    assert world.broker.working(intent.ref).limit == limits[-1]


@pytest.mark.fault(9)
async def test_an_entry_waits_until_books_and_broker_agree(world: World) -> None:
    """It was approved before the desk died; the next desk sends nothing before it has reconciled."""
    intent = world.enter()
    desk = await world.desk()
    desk.desk.reason = "books and broker disagree"
    await desk.turn()
    assert (world.state(intent.ref), desk.session.placed) == (IntentState.PENDING, [])
    assert await desk.look_up()
    await desk.turn()
    assert world.state(intent.ref) is IntentState.WORKING


async def test_an_exit_leaves_while_books_and_broker_disagree(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    desk.desk.reason = "books and broker disagree"
    world.now = record.at(181)
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert exit_.state is IntentState.WORKING


@pytest.mark.fault(28)
@pytest.mark.parametrize(
    ("trouble", "text", "end"),
    [
        (2103, "Market data farm connection is broken:usopt", (2104, "Market data farm connection is OK:usopt")),
        (10197, "No market data during competing live session", None),
    ],
)
async def test_nothing_is_entered_on_data_that_cannot_be_trusted(
    world: World, trouble: int, text: str, end: tuple[int, str] | None
) -> None:
    """A farm until it is back, a competing session until quotes come again; another farm changes nothing."""
    desk = await world.desk()
    intent = world.enter()
    desk.session.sink(ErrorMessage(-1, trouble, text))
    desk.session.sink(ErrorMessage(-1, 2104, "Market data farm connection is OK:eufarm"))
    await desk.turn()
    assert (desk.session.placed, world.state(intent.ref)) == ([], IntentState.PENDING)
    assert world.mails("error.market data") == 1
    desk.session.sink(QuoteMessage(frozenset({1})) if end is None else ErrorMessage(-1, *end))
    await desk.turn()
    assert [ref for ref, _, _ in desk.session.placed] == [intent.ref]


@pytest.mark.fault(42)
async def test_a_strategy_gone_mad_is_stopped_before_the_wire(world: World) -> None:
    """The same entry again and again: what the gate let through ends here, and nothing leaves until a person looks."""
    world.flood = FloodLimits(per_minute=10, repeats=2, window_s=60)
    desk = await world.desk()
    for number in (1, 2):
        intent = world.enter(number)
        await desk.turn()
        world.broker.end(intent.ref)
        await desk.turn()
        assert world.state(intent.ref) is IntentState.CANCELLED
    third = world.enter(3)
    await desk.turn()
    assert world.state(third.ref) is IntentState.WITHDRAWN
    await desk.turn()
    assert [halt.source for halt in world.halts()] == ["desk"]
    assert len(desk.session.placed) == 2


async def test_strategies_that_want_the_same_at_the_same_time_are_not_mad(world: World) -> None:
    world.flood = FloodLimits(per_minute=10, repeats=1, window_s=60)
    desk = await world.desk()
    intents = [world.enter(number, strategy=f"calm{number}") for number in range(1, 4)]
    await desk.turn()
    assert [ref for ref, _, _ in desk.session.placed] == [intent.ref for intent in intents]
    assert world.halts() == []


@pytest.mark.parametrize("closes", [1, 2])
async def test_a_close_amid_a_heap_of_entries_leaves_at_once_and_the_broker_takes_all_of_them(
    world: World, closes: int
) -> None:
    """The broker refuses an order whose id is not above the last one (103)."""
    desk = await world.desk()
    held = [
        await desk.opened(number=number, strategy=f"held{number}", id=f"held-{number}")
        for number in range(1, 1 + closes)
    ]
    world.after(market_s=5)
    heap = [world.enter(number, strategy=f"calm{number}", opened_at=world.now) for number in range(3, 6)]
    place, sent = desk.session.place, []

    def place_and_stop(*arguments: object) -> None:
        place(*arguments)  # type: ignore[arg-type]
        sent.append(arguments)
        if len(sent) == 1:  # the first of the heap has left: prices fall
            world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
            desk.desk.guard.look(world.now)

    desk.session.place = place_and_stop  # type: ignore[method-assign]
    await desk.turn()
    exits = [one.intent.ref for intent in held for one in world.exits(intent.trade_id)]
    assert len(exits) == closes
    assert [world.state(ref) for ref in (*exits, *(intent.ref for intent in heap))] == [IntentState.WORKING] * (
        closes + 3
    )
    ids = [order_id for _ref, order_id, _limit in desk.session.placed]
    assert ids == sorted(set(ids))
    assert desk.session.placed.index(next(one for one in desk.session.placed if one[0] == exits[0])) < len(ids) - 1


async def test_a_stop_that_is_placed_and_a_close_of_another_trade_in_one_turn_leave_in_the_order_of_their_ids(
    world: World,
) -> None:
    world.broker.quotes[plain.LONG.con_id] = (400.00, 400.02)
    desk = await world.desk()
    held = await desk.opened(number=1, strategy="held", id="held-1")
    trade = plain.trade(2)
    entry = world.approve(trade, plain.entry(trade, 2), 2)
    await desk.turn()
    world.after(market_s=5)
    await desk.hear()
    world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
    world.broker.fill(entry.ref, "400.02")
    inbox = desk.desk.parts.inbox
    while not inbox.empty():
        desk.desk.fold(inbox.get_nowait())
    desk.desk.guard.look(world.now)
    await desk.desk.guard.settle()
    await desk.hear()
    refs = [one.intent.ref for one in (*world.exits(held.trade_id), *world.exits(trade.id))]
    assert [world.state(ref) for ref in refs] == [IntentState.WORKING] * 3, "a close, a stop and a target"
    ids = [order_id for _ref, order_id, _limit in desk.session.placed]
    assert ids == sorted(set(ids))


async def test_a_claim_whose_turn_never_comes_is_in_doubt(world: World) -> None:
    """The session ends while a close before it is on its way to the disk."""
    desk = await world.desk()
    intent = world.enter()

    async def broken() -> None:
        raise ConnectionError("Not connected")

    desk.desk.orders._parts = replace(desk.desk.orders._parts, closes_left=broken)
    with pytest.raises(ConnectionError):
        await desk.desk.act(world.now)
    assert [live.intent.ref for live in desk.desk.orders.doubtful] == [intent.ref]


async def test_a_claimed_entry_that_a_higher_id_has_overtaken_does_not_go_to_the_socket(world: World) -> None:
    desk = await world.desk()
    first, second = world.enter(1), world.enter(2, strategy="other", id="other-1", opened_at=record.at(1, 1))

    def overtake(_sent: OrderIntent, _order_id: int, _limit: Decimal) -> None:
        desk.desk.trading.numbers.used_id(9000)

    desk.session.on_place = overtake
    await desk.turn()
    assert (world.state(first.ref), world.state(second.ref)) == (IntentState.WORKING, IntentState.WITHDRAWN)
    assert world.trade(second.trade_id).state is TradeState.VOID
    assert world.stored(second.ref).reason == f"order id {2 * GAP} would be refused: a higher one has left before it"


async def test_intents_that_share_a_claim_leave_in_order_each_under_its_own_id(world: World) -> None:
    """One transaction takes several; a stop between two of them holds back the rest."""
    desk = await world.desk()
    first, second = world.enter(1), world.enter(2, strategy="other", id="other-1", opened_at=record.at(1, 1))
    third = world.enter(3, strategy="third", id="third-1", opened_at=record.at(1, 2))
    place, sent = desk.session.place, []

    def place_and_stop(*arguments: object) -> None:
        place(*arguments)  # type: ignore[arg-type]
        sent.append(arguments)
        if len(sent) == 2:
            world.stop_file.touch()

    desk.session.place = place_and_stop  # type: ignore[method-assign]
    await desk.turn()
    states = [world.state(intent.ref) for intent in (first, second, third)]
    assert states == [IntentState.WORKING, IntentState.WORKING, IntentState.WITHDRAWN]
    assert [world.stored(intent.ref).order_id for intent in (first, second, third)] == [FIRST_ID, 2 * GAP, 3 * GAP]


async def test_a_socket_that_breaks_between_two_of_a_claim_leaves_both_in_doubt(world: World) -> None:
    desk = await world.desk()
    first, second = world.enter(1), world.enter(2, strategy="other", id="other-1", opened_at=record.at(1, 1))

    def broken(*_arguments: object) -> None:
        raise ConnectionError("Not connected")

    desk.session.place = broken  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await desk.turn()
    assert {live.intent.ref for live in desk.desk.orders.live} == {first.ref, second.ref}
    assert [live.intent.ref for live in desk.desk.orders.doubtful] == [second.ref]
    assert world.state(second.ref) is IntentState.SENDING
    assert desk.desk.book.get(second.trade_id) is not None


async def test_an_entry_whose_prices_are_gone_is_not_sent(world: World) -> None:
    """Fresh prices of the decision stand for five seconds of market time."""
    desk = await world.desk()
    world.broker.quotes.clear()
    fresh = world.enter()
    world.now = fresh.created_at + timedelta(seconds=5)
    await desk.turn()
    assert [ref for ref, _, _ in desk.session.placed] == [fresh.ref]
    stale = world.enter(2, strategy="other", id="other-1", opened_at=record.at(1, 20))
    world.now = stale.created_at + timedelta(seconds=6)
    await desk.turn()
    assert (world.state(stale.ref), world.stored(stale.ref).reason) == (
        IntentState.WITHDRAWN,
        "its legs have no price now",
    )
