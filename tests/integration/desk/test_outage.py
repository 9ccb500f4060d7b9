"""IB stays away for hours: people are paged at 2, 15 and 60 minutes, and nothing is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support import record
from tests.support.desk import Running, World

from htbot.desk.outage import STANDS_AFTER, Outage
from htbot.desk.pace import PacedPace
from htbot.domain.alerts import Alert, Severity
from htbot.domain.orders import IntentState
from htbot.marketdata.messages import ConnectionMessage

LOST = ConnectionMessage(connected=False, code=1100, text="Connectivity between IB and the gateway has been lost")
BACK = ConnectionMessage(connected=True, code=1102, text="Connectivity restored, data maintained")


async def minutes(desk: Running, count: int) -> list[int]:
    """Market minutes after which there was a page, a look each half of a minute."""
    paged: list[int] = []
    for half in range(1, 2 * count + 1):
        desk.world.after(market_s=30)
        desk.desk.told_time(desk.world.now)
        before = desk.world.mails("broker_outage")
        PacedPace._look(desk.desk, desk.world.now)
        await desk.desk.ledger.settle()
        paged += [half // 2] * (desk.world.mails("broker_outage") - before)
    return paged


@pytest.mark.fault(27)
async def test_people_are_paged_three_times_and_nothing_is_sent_while_ib_is_away(world: World) -> None:
    desk = await world.desk()
    desk.desk.fold(LOST)
    intent = world.enter()
    assert await minutes(desk, 180) == [2, 15, 60]
    await desk.desk.act(world.now)
    assert world.broker.orders == []
    pages = [stored.alert for stored in world.alerts() if stored.alert.kind == "broker_outage"]
    assert {page.severity for page in pages} == {Severity.CRITICAL}
    assert all("1100" in page.text for page in pages)
    desk.desk.fold(BACK)
    await desk.turn()
    assert (desk.desk.connection, world.state(intent.ref)) == ("connected", IntentState.EXPIRED)
    assert world.broker.orders == [], "hours later it is no entry any more"


@pytest.mark.fault(27)
async def test_the_next_outage_is_another_one(world: World) -> None:
    desk = await world.desk()
    desk.desk.fold(LOST)
    assert await minutes(desk, 3) == [2]
    desk.desk.fold(BACK)
    await desk.turn()
    assert await minutes(desk, 3) == []
    desk.desk.fold(LOST)
    assert await minutes(desk, 16) == [2, 15]


def test_a_connection_that_does_not_stand_is_no_end_of_the_outage() -> None:
    pages: list[Alert] = []
    outage = Outage(pages.append)
    for minute in range(70):
        at = record.at(minute)
        outage.look(at, connected=False, account="DU1", detail="refused")
        outage.look(at + STANDS_AFTER / 2, connected=True, account="DU1", detail="connected")
    assert [page.dedup_key.rpartition(":")[2] for page in pages] == ["2", "15", "60"]


def test_looks_that_come_late_page_once_for_the_longest_and_a_clock_set_back_begins_anew() -> None:
    pages: list[Alert] = []
    outage = Outage(pages.append)
    for minute in (0, 90, 91):
        outage.look(record.at(minute), connected=False, account="", detail="refused")
    assert [page.dedup_key.rpartition(":")[2] for page in pages] == ["60"]
    early = Outage(pages.append)
    other = record.NOON - timedelta(days=300)
    for at in (record.NOON, other, other + timedelta(minutes=1)):
        early.look(at, connected=False, account="", detail="refused")
    assert len(pages) == 1
