"""Sales at profit levels: a part leaves once, what stands at the broker never closes too much, and the rest goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.integration.desk.test_over_night import NEXT, NIGHTS
from tests.integration.desk.test_plain import STOP, TARGET, opened, quote, sides, standing
from tests.support import plain
from tests.support.broker import HeldOrder
from tests.support.desk import SESSION, Running, World

from htbot.domain.instruments import Contract, SecType
from htbot.domain.orders import ExitReason, IntentState, OrderIntent, PriceStyle
from htbot.domain.trades import TradeState
from htbot.engine.bar_parts import ExitPlan
from htbot.engine.observation import LevelSale
from htbot.persistence.queries.marks import marked_pnl
from htbot.persistence.records import Command, PnlSnapshot, StoredIntent
from htbot.persistence.repositories import CommandRepository, CommandRequest, PnlRepository, SessionRepository
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import CANCEL, CLOSE_ALL, EVERY_ACCOUNT
from htbot.services.trade_record import manual_decision, request_exit

UNSOLD = "HTBot Alert: Profit Level 1 Not Sold: SPY, 100 of 100 held"


@pytest.fixture(autouse=True)
def quoted(world: World) -> None:
    quote(world, 400.00)


def ask(
    world: World, trade_id: str, spent: int, reached: int, shares: list[float] | None = None
) -> StoredIntent | None:
    """What a worker writes when a close has come to a level: 25, 50 and 25 of 100 unless `shares` says otherwise."""
    decision, plan = manual_decision(ExitReason.PROFIT_TARGET, world.now, f"profit level {reached}"), ExitPlan()
    plan.shares = shares or plan.shares
    with world.database.transaction() as session:
        return request_exit(session, trade_id, decision, LevelSale(spent, reached, plan))


async def asked(world: World, desk: Running) -> tuple[OrderIntent, StoredIntent]:
    """A trade of 100, and the sale at its first level that a worker has just asked for."""
    intent = await opened(world, desk)
    world.after(market_s=30)
    stored = ask(world, intent.trade_id, 0, 1)
    assert stored is not None
    return intent, stored


def part(world: World) -> HeldOrder | None:
    """The sale that works at the broker."""
    return next((one for one in world.broker.orders if one.working and one.intent.in_part), None)


def unsold(world: World) -> list[str]:
    """Titles of the mails about levels that have sold nothing."""
    return [one.alert.subject for one in world.alerts() if "Not Sold" in one.alert.subject]


async def passing(world: World, desk: Running, times: int, *, each_s: float) -> None:
    """Time passes as a paced desk sees it: silence is doubted, what is in doubt is looked up."""
    for _ in range(times):
        world.after(market_s=each_s)
        await desk.turn()
        await desk.doubt_silent()
        await desk.look_up()
        await desk.turn()


def sizes(world: World) -> list[int]:
    return [standing(world)[style].quantity for style in (STOP, TARGET)]


def by_hand(world: World, quantity: int) -> None:
    """Somebody trades shares of the same account elsewhere."""
    account = plain.trade().account
    contract = Contract(plain.LONG.con_id, plain.LONG.symbol, SecType.STOCK, "SMART")
    world.broker.move(account, contract, quantity)


def close_everything(world: World) -> Command:
    with world.database.transaction() as session:
        request = CommandRequest("close", CLOSE_ALL, "operator", world.now, {"scope": EVERY_ACCOUNT})
        return CommandRepository(session).create(request)[0]


async def sold(world: World, desk: Running, intent: OrderIntent, spent: int, price: str) -> None:
    """Ask for the sale of the level after `spent`, and fill it."""
    world.after(market_s=30)
    stored = ask(world, intent.trade_id, spent, spent + 1)
    assert stored is not None
    await desk.turn()
    await desk.turn()
    world.broker.fill(stored.intent.ref, price)
    await desk.turn()
    world.broker.report_commissions(stored.intent.ref, "1.00")
    await desk.turn()


async def test_each_level_sells_its_part_and_the_last_what_is_left(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    world.broker.report_commissions(intent.ref, "1.00")
    await sold(world, desk, intent, 0, "400.52")
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.quantity, trade.left, trade.exit_reason) == (TradeState.OPEN, 100, 75, None)
    assert (trade.gross_pnl_usd, trade.credit) == (Decimal("12.50"), Decimal("-400.02"))
    assert sizes(world) == [75, 75]
    with world.database.transaction() as session:
        snapshot = PnlSnapshot(trade.id, world.now, mid_pnl_usd=Decimal("37.50"))
        PnlRepository(session).add_snapshot(snapshot)
        [mark] = marked_pnl(session, [trade.id])
    assert trade.commissions_usd == Decimal("2.00")
    assert mark.pnl == Decimal("48.00"), "what is left and what is sold, less both commissions"
    assert ask(world, intent.trade_id, 0, 1) is None, "a level has one sale"
    await sold(world, desk, intent, 1, "401.02")
    assert (world.trade(intent.trade_id).left, sizes(world)) == (25, [25, 25])
    world.after(market_s=30)
    assert ask(world, intent.trade_id, 2, 3) is not None
    for _ in range(3):
        await desk.turn()
    assert not standing(world), "what sells the rest waits for their end"
    [close] = [one for one in world.broker.orders if one.working]
    world.broker.fill(close.intent.ref, "402.02")
    for order in world.broker.orders:
        world.broker.report_commissions(order.intent.ref)
    await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason, trade.left) == (TradeState.CLOSED, ExitReason.PROFIT_TARGET, 0)
    assert trade.gross_pnl_usd == Decimal("112.50")
    assert sides(world) == [("BUY", 100), ("SELL", 25), ("SELL", 50), ("SELL", 25)]
    assert (world.mails("trade_part"), world.mails("trade_exit")) == (2, 1)
    assert [one.intent.style for one in world.exits(trade.id) if one.intent.protective] == [STOP, TARGET]


async def test_a_part_waits_until_the_broker_has_made_stop_and_target_smaller(world: World) -> None:
    desk = await world.desk()
    intent, _stored = await asked(world, desk)
    desk.session.deaf = True
    await desk.turn()
    await desk.turn()
    assert (sizes(world), part(world)) == ([75, 75], None), "smaller, but the desk has not heard of it"
    desk.session.deaf = False
    world.host_s += 8  # more than a sender may be held up for: this one was not, the broker was
    desk.desk.trading.numbers.used_id(900)  # others have left since: the broker refuses lower ids
    world.broker.tell(*(one.as_message() for one in standing(world).values()))
    await desk.turn()
    assert (sizes(world), (held := part(world)) and held.quantity) == ([75, 75], 25)
    assert held is not None
    assert held.order_id > 900
    [stored] = [one for one in world.exits(intent.trade_id) if one.intent.in_part]
    assert (stored.order_id, world.trade(intent.trade_id).state) == (held.order_id, TradeState.OPEN)


@pytest.mark.parametrize("lost", ["changes", "answers", "fill"])
async def test_a_part_is_sold_once_whatever_the_desk_dies_before(world: World, lost: str) -> None:
    """Before the changes of stop and target arrive, before their answers, before the fill of the sale."""
    first = await world.desk()
    intent, stored = await asked(world, first)
    if lost == "answers":
        first.session.deaf = True
    elif lost == "changes":
        first.session.lost_requests = 2
    await first.turn()
    if lost == "fill":
        await first.turn()
        first.session.deaf = True
        world.broker.fill(stored.intent.ref, "400.52")
    first.die()
    desk = await world.desk()
    for _ in range(6):
        world.after(market_s=5)
        await desk.turn()
        await desk.look_up(after_s=11)
    if lost != "fill":
        assert part(world) is not None
        world.broker.fill(stored.intent.ref, "400.52")
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert sides(world) == [("BUY", 100), ("SELL", 25)]
    assert (world.trade(intent.trade_id).left, sizes(world)) == (75, [75, 75])
    assert len(world.broker.of(stored.intent.ref)) == 1
    assert ask(world, intent.trade_id, 0, 1) is None


@pytest.mark.parametrize("dies", [False, True])
async def test_a_part_that_never_arrived_is_over_and_told_and_what_protects_grows_back(
    world: World, dies: bool
) -> None:
    desk = await world.desk()
    intent, stored = await asked(world, desk)
    await desk.turn()
    assert sizes(world) == [75, 75]
    desk.session.lost_requests = 1
    await desk.turn()
    assert (world.state(stored.intent.ref), part(world)) == (IntentState.SENDING, None)
    if dies:
        desk.die()
        desk = await world.desk()
    await passing(world, desk, 12, each_s=5)
    assert (world.state(stored.intent.ref), sides(world)) == (IntentState.EXPIRED, [("BUY", 100)])
    assert (world.trade(intent.trade_id).state, sizes(world)) == (TradeState.OPEN, [100, 100])
    assert unsold(world) == [UNSOLD]


async def test_a_stop_that_fills_before_it_is_smaller_leaves_nothing_to_sell(world: World) -> None:
    desk = await world.desk()
    intent, stored = await asked(world, desk)
    desk.session.lost_requests = 2
    await desk.turn()
    world.broker.fill(standing(world)[STOP].intent.ref, "397.00")
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert sides(world) == [("BUY", 100), ("SELL", 100)]
    assert world.state(stored.intent.ref) is IntentState.WITHDRAWN
    assert world.trade(intent.trade_id).exit_reason is ExitReason.STOP_LOSS
    assert not unsold(world)


async def test_a_stop_behind_half_a_part_closes_the_rest_and_no_more(world: World) -> None:
    desk = await world.desk()
    intent, _stored = await asked(world, desk)
    await desk.turn()
    await desk.turn()
    held = part(world)
    assert held is not None
    world.broker.fill(held.intent.ref, "400.52", 10)
    await desk.turn()
    assert (world.trade(intent.trade_id).left, sizes(world)) == (90, [75, 75])
    world.broker.fill(standing(world)[STOP].intent.ref, "397.00")
    await desk.turn()
    world.broker.fill(held.intent.ref, "396.90")
    await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, sides(world)[1:]) == (TradeState.CLOSED, [("SELL", 75), ("SELL", 10), ("SELL", 15)])


async def test_a_close_in_time_takes_the_place_of_a_part_that_has_not_left(world: World) -> None:
    desk = await world.desk()
    intent, stored = await asked(world, desk)
    desk.session.lost_requests = 2
    await desk.turn()
    world.now = world.trade(intent.trade_id).rules.exit_at
    for _ in range(4):
        await desk.turn()
        world.after(market_s=2)
    assert world.state(stored.intent.ref) is IntentState.WITHDRAWN
    [close] = [one for one in world.broker.orders if one.working]
    assert (close.intent.style, close.quantity) == (PriceStyle.MARKET, 100)
    world.broker.fill(close.intent.ref, "400.00")
    await desk.turn()
    assert (world.trade(intent.trade_id).exit_reason, sides(world)[1:]) == (ExitReason.TIME, [("SELL", 100)])
    assert not unsold(world)


@pytest.mark.parametrize("again", [False, True])
async def test_a_part_that_is_refused_is_not_asked_for_again_and_nothing_else_is_closed(
    world: World, again: bool
) -> None:
    desk = await world.desk()
    intent, stored = await asked(world, desk)
    desk.session.reject = (201, "Order rejected - reason: no")
    await desk.turn()
    await desk.turn()
    desk.session.reject = None
    assert world.state(stored.intent.ref) is IntentState.REJECTED
    if again:
        desk.die()
        desk = await world.desk()
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.left, sizes(world)) == (TradeState.OPEN, 100, [100, 100])
    assert ask(world, intent.trade_id, 0, 1) is None
    assert sides(world) == [("BUY", 100)]


async def test_a_part_does_not_leave_when_less_than_it_is_held_by_then(world: World) -> None:
    """The stop fills nearly all while it is being made smaller, and ends: that nothing stands there is no room."""
    desk = await world.desk()
    intent = await opened(world, desk, rules=replace(plain.RULES, target_price=None))
    world.after(market_s=30)
    stored = ask(world, intent.trade_id, 0, 1)
    assert stored is not None
    desk.session.lost_requests = 1
    await desk.turn()
    stop = standing(world)[STOP].intent.ref
    world.broker.fill(stop, "398.00", 90)
    world.broker.end(stop)
    await passing(world, desk, 4, each_s=5)
    assert (world.state(stored.intent.ref), part(world)) == (IntentState.WITHDRAWN, None)
    assert standing(world)[STOP].quantity == 10


async def test_no_more_is_sold_than_the_broker_shows(world: World) -> None:
    """A person has sold 40 by hand, then a level is reached, then the stop is met."""
    desk = await world.desk()
    intent = await opened(world, desk)
    world.after(market_s=30)
    by_hand(world, -40)
    await desk.turn()
    assert sizes(world) == [60, 60]
    world.after(market_s=2)
    stored = ask(world, intent.trade_id, 0, 1)
    assert stored is not None
    await desk.turn()
    await desk.turn()
    assert ((held := part(world)) and held.quantity, sizes(world)) == (25, [35, 35])
    world.broker.fill(standing(world)[STOP].intent.ref, "398.00")
    world.broker.fill(stored.intent.ref, "397.90")
    await passing(world, desk, 6, each_s=2)
    assert (not world.broker.held, not standing(world)) == (True, True), "40 of ours are gone: nothing stands for them"


async def test_what_was_sold_by_hand_is_not_protected_and_what_comes_back_is(world: World) -> None:
    """A stop for what is not there would open something."""
    desk = await world.desk()
    await opened(world, desk)
    world.after(market_s=30)
    by_hand(world, -100)
    await desk.turn()
    assert sizes(world) == [100, 100], "a broker may show it a moment late"
    world.after(market_s=5)
    await desk.turn()
    assert not standing(world)
    by_hand(world, 100)
    await passing(world, desk, 2, each_s=5)
    assert sizes(world) == [100, 100]


async def test_what_is_placed_anew_beside_a_part_grows_back_to_all_that_is_held(world: World) -> None:
    desk = await world.desk()
    _intent, stored = await asked(world, desk)
    await desk.turn()
    await desk.turn()
    for order in standing(world).values():
        world.broker.end(order.intent.ref)
    await passing(world, desk, 2, each_s=5)
    assert sizes(world) == [75, 75]
    world.broker.end(stored.intent.ref)
    await passing(world, desk, 2, each_s=5)
    assert sizes(world) == [100, 100]


async def test_a_part_for_which_there_is_no_room_in_time_is_given_up_and_told(world: World) -> None:
    """The broker refuses to make the stop smaller: entries go on, and the strategy can close."""
    desk = await world.desk()
    intent, stored = await asked(world, desk)
    desk.session.refuse_modify = (104, "Cannot modify a filled order")
    await passing(world, desk, 8, each_s=5)
    assert (world.state(stored.intent.ref), sizes(world)) == (IntentState.WITHDRAWN, [100, 100])
    assert (unsold(world), desk.desk.enabled) == ([UNSOLD], True)
    asked_for = len(desk.session.placed)
    await passing(world, desk, 30, each_s=60)
    assert len(desk.session.placed) == asked_for, "what stands fits again: nothing is asked for"
    with world.database.transaction() as session:
        assert request_exit(session, intent.trade_id, manual_decision(ExitReason.SIGNAL, world.now, "its own"))


async def test_only_what_was_asked_for_answers_a_change(world: World) -> None:
    """After a part was refused the stop grows back, and what the broker had written before it saw that comes late."""
    desk, shares = await world.desk(), [0.5, 0.25, 1.0]
    intent = await opened(world, desk)
    world.after(market_s=30)
    assert ask(world, intent.trade_id, 0, 1, shares) is not None
    desk.session.reject = (201, "Order rejected - reason: no")
    await desk.turn()
    await desk.turn()
    desk.session.reject = None
    before = [order.as_message() for order in standing(world).values()]
    world.after(market_s=5)
    desk.session.deaf = True
    await desk.turn()
    desk.session.deaf = False
    assert ({message.quantity for message in before}, sizes(world)) == ({50}, [100, 100])
    assert ask(world, intent.trade_id, 1, 2, shares) is not None
    world.broker.tell(*before)
    await desk.turn()
    assert part(world) is None, "50 would leave room for it, and 100 stand at the broker"
    await passing(world, desk, 6, each_s=5)
    assert ((held := part(world)) and held.quantity, sizes(world)) == (25, [75, 75])


@pytest.mark.parametrize("protected", [True, False])
async def test_a_close_that_meets_a_part_in_doubt_leaves_the_rest_protected_until_it_is_known(
    world: World, protected: bool
) -> None:
    desk = await world.desk()
    rules = plain.RULES if protected else replace(plain.RULES, stop_price=None, target_price=None)
    intent = await opened(world, desk, rules=rules)
    world.after(market_s=30)
    stored = ask(world, intent.trade_id, 0, 1)
    assert stored is not None
    if protected:
        await desk.turn()
    desk.session.lost_requests = 1
    await desk.turn()
    world.after(market_s=11)
    await desk.doubt_silent()
    assert world.state(stored.intent.ref) is IntentState.UNKNOWN
    close_everything(world)
    await desk.turn()
    assert bool(standing(world)) is protected
    await passing(world, desk, 4, each_s=6)
    assert part(world) is None, "it does not leave before a close"
    [close] = [one for one in world.broker.orders if one.working]
    assert (close.quantity, world.state(stored.intent.ref)) == (100, IntentState.EXPIRED)


async def test_a_part_that_waits_over_the_close_of_the_market_leaves_at_the_open_and_nothing_hangs(
    world: World,
) -> None:
    desk = await world.desk()
    with world.database.transaction() as session:
        SessionRepository(session).upsert([NEXT])
    intent = await opened(world, desk, rules=NIGHTS)
    world.now = SESSION.closes + timedelta(seconds=2)
    stored = ask(world, intent.trade_id, 0, 1)
    assert stored is not None
    command = close_everything(world)
    sent = len(desk.session.placed)
    await passing(world, desk, 5, each_s=600)
    with world.database.transaction() as session:
        assert CommandRepository(session).get(command.id).state is CommandState.FAILED
    assert (len(desk.session.placed), desk.desk.enabled) == (sent, True)
    desk.desk.trading.numbers.used_id(900)
    world.now = NEXT.opens
    await desk.desk.day.refresh(world.now)
    await passing(world, desk, 2, each_s=1)
    assert ((held := part(world)) and held.quantity, sizes(world)) == (25, [75, 75])
    assert held is not None
    assert held.order_id > 900


@pytest.mark.parametrize("whose", ["its reference", "all"])
async def test_a_part_that_waits_is_cancelled_by_a_persons_word(world: World, whose: str) -> None:
    desk = await world.desk()
    _intent, stored = await asked(world, desk)
    desk.session.deaf = True
    await desk.turn()
    ref = stored.intent.ref if whose == "its reference" else EVERY_ACCOUNT
    with world.database.transaction() as session:
        request = CommandRequest("cancel", CANCEL, "operator", world.now, {"ref": ref})
        command, _ = CommandRepository(session).create(request)
    desk.session.deaf = False
    await passing(world, desk, 4, each_s=5)
    assert (world.state(stored.intent.ref), part(world)) == (IntentState.WITHDRAWN, None)
    with world.database.transaction() as session:
        assert CommandRepository(session).get(command.id).state is CommandState.DONE
    assert sizes(world) == [100, 100]


async def test_a_part_that_works_is_cancelled_when_a_stop_and_a_person_have_sold_everything(world: World) -> None:
    """Found by the state machine: if it filled then, it would sell short."""
    desk = await world.desk()
    intent, _stored = await asked(world, desk)
    await desk.turn()
    await desk.turn()
    assert part(world) is not None
    world.broker.fill(standing(world)[STOP].intent.ref, "398.00")
    await desk.turn()
    assert world.trade(intent.trade_id).left == 25
    by_hand(world, -25)
    await passing(world, desk, 2, each_s=5)
    assert (part(world), world.broker.held) == (None, {})
