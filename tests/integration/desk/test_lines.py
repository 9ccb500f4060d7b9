"""An option line that has ended beside a living underlying: nothing is entered on it, what is held is closed blind."""

from __future__ import annotations

import pytest
from tests.support import record
from tests.support.broker import UNDERLYING_ID
from tests.support.desk import Running, World

from htbot.desk.clock import DeskClock
from htbot.desk.lines import ANSWER_WITHIN_S
from htbot.domain.orders import ExitReason
from htbot.execution.exits import BLIND_LIMIT
from htbot.marketdata.clock_state import Mode
from htbot.marketdata.messages import LineMessage, QuoteMessage

SHORT, LONG = record.SHORT.con_id, record.LONG.con_id
LEGS = frozenset({SHORT, LONG})


async def guarded(world: World) -> tuple[Running, str]:
    """A spread is open, and a desk in a paced world guards it: its legs have ticked once, the underlying goes on."""
    stepped = await world.desk()
    intent = await stepped.opened()
    stepped.die()
    running = await world.desk(clock=DeskClock(Mode.PAPER, 1.0, lambda: world.host_s))
    running.session.sink(QuoteMessage(LEGS | {UNDERLYING_ID}))
    await running.hear()
    return running, intent.trade_id


async def wait(running: Running, seconds: float) -> int:
    """Time goes on in seconds, the underlying ticks in each; returns how many exits the guard has begun."""
    begun, world, desk = 0, running.world, running.desk
    for _ in range(int(seconds)):
        world.after(market_s=1)
        running.session.sink(QuoteMessage(frozenset({UNDERLYING_ID})))
        await running.hear()
        desk.upkeep.look_at_lines(world.now)
        await running.hear()
        begun += await running.look()
    return begun


def priced(running: Running) -> set[int]:
    return set(running.desk.parts.watch.quotes(running.session, LEGS, running.desk.clock.now()))


async def test_a_quiet_line_that_answers_is_guarded_on(world: World) -> None:
    running, _trade = await guarded(world)
    assert await wait(running, 65) == 0
    assert set(running.session.renewed) == LEGS
    assert priced(running) == LEGS
    assert world.mails("error.dead line") == 0
    assert not running.desk.guard.exposed(world.now)


async def test_a_sold_leg_whose_line_has_ended_is_told_once_and_closed_blind(world: World) -> None:
    running, trade_id = await guarded(world)
    running.session.dead_lines.add(SHORT)
    assert await wait(running, 30 + ANSWER_WITHIN_S + BLIND_LIMIT.seconds) == 0
    assert priced(running) == {LONG}
    assert world.mails("error.dead line") == 1
    assert running.desk.guard.exposed(world.now)
    assert await wait(running, 5) == 1
    [exit_] = world.exits(trade_id)
    assert exit_.intent.exit_reason is ExitReason.OTHER
    assert world.mails("error.blind exit") == 1
    assert await wait(running, 60) == 0
    assert world.mails("error.dead line") == 1


async def test_a_line_that_wakes_up_in_time_keeps_its_trade(world: World) -> None:
    running, trade_id = await guarded(world)
    running.session.dead_lines.add(SHORT)
    await wait(running, 30 + ANSWER_WITHIN_S + 5)
    assert priced(running) == {LONG}
    running.session.dead_lines.clear()
    running.session.sink(QuoteMessage(frozenset({SHORT})))
    assert await wait(running, 60) == 0
    assert priced(running) == LEGS
    assert world.exits(trade_id) == []


@pytest.mark.ruling(5)
async def test_a_bought_leg_whose_line_has_ended_switches_no_stop_off(world: World) -> None:
    """Credit 4.25, stop 200 USD: it closes as soon as the sold leg alone is beyond that."""
    running, trade_id = await guarded(world)
    running.session.dead_lines.add(LONG)
    for _ in range(60):
        running.session.sink(QuoteMessage(frozenset({SHORT})))
        assert await wait(running, 1) == 0
    assert priced(running) == {SHORT}
    world.broker.quotes[SHORT] = (30.0, 30.2)
    running.session.sink(QuoteMessage(frozenset({SHORT})))
    assert await wait(running, 3) == 1
    [exit_] = world.exits(trade_id)
    assert exit_.intent.exit_reason is ExitReason.STOP_LOSS
    assert "a bought leg that prices nothing" in str(exit_.evidence)


@pytest.mark.parametrize("open_", [True, False])
async def test_what_the_broker_refuses_is_told_in_its_words_while_the_exchange_is_open(
    world: World, open_: bool
) -> None:
    running, _trade = await guarded(world)
    running.session.sink(LineMessage(LONG, "354 Requested market data is not subscribed"))
    if not open_:
        running.desk.day.session = None
    await running.hear()
    running.desk.upkeep.look_at_lines(world.now)
    await running.desk.ledger.settle()
    assert priced(running) == {SHORT}
    told = [one.alert.text for one in world.alerts() if one.alert.kind == "error.dead line"]
    assert len(told) == open_
    assert all("354 Requested market data is not subscribed" in text for text in told)


async def test_a_held_line_that_dies_after_another_was_told_is_told_too(world: World) -> None:
    """Nobody holds the first; the second is the wing of an open spread, and its mail is not held back."""
    running, _trade = await guarded(world)
    running.session.sink(LineMessage(777, "101 Max number of tickers has been reached"))
    await running.hear()
    running.desk.upkeep.look_at_lines(world.now)
    await running.hear()
    assert world.mails("error.dead line") == 1
    running.session.dead_lines.add(LONG)
    for _ in range(50):
        running.session.sink(QuoteMessage(frozenset({SHORT})))
        await wait(running, 1)
    told = [one.alert.text for one in world.alerts() if one.alert.kind == "error.dead line"]
    assert len(told) == 2
    assert sum("does not answer" in text for text in told) == 1
