"""A desk that another one has followed before it had the broker's session takes nothing over, and guards nothing."""

from __future__ import annotations

import pytest
from tests.support import record
from tests.support.desk import World

from htbot.domain.orders import IntentState
from htbot.persistence.repositories.desk_state import Superseded

STOP = {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}


@pytest.mark.fault(6)
async def test_a_desk_that_comes_late_to_the_session_does_not_close_what_another_one_closes(world: World) -> None:
    first = await world.desk()
    intent = await first.opened()
    first.die()
    late = await world.desk(recover=False)
    second = await world.desk()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await second.turn()
    [close] = world.exits(intent.trade_id)
    assert world.state(close.intent.ref) is IntentState.WORKING
    second.die()
    with pytest.raises(Superseded, match="another desk took over"):
        await late.recover()
    world.after(market_s=5)
    assert await late.look() == 0
    assert [order.intent.ref for order in world.broker.orders if order.working] == [close.intent.ref]


async def test_a_desk_that_was_followed_while_its_session_was_away_is_told_so_before_it_guards_again(
    world: World,
) -> None:
    first = await world.desk()
    await first.opened()
    await world.desk()
    with pytest.raises(Superseded, match="another desk took over"):
        await first.desk.parts.orders_database.run(first.desk.trading.record.sent)
