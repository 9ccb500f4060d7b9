"""Bars of watched strategies: over TCP from the paper gateway into the record, and through a desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from tests.support import record
from tests.support.broker_worlds import TcpWorld, tcp_world
from tests.support.desk import World
from tests.support.paper_world import SESSIONS, START
from tests.support.waiting import settled

from htbot.bootstrap.desk import history_days
from htbot.desk.series import WatchedSeries
from htbot.desk.threads import DatabaseThread
from htbot.domain.bars import Bar
from htbot.marketdata.messages import BarMessage, TimeMessage
from htbot.paper.feeds.streams import Kind, of_kind
from htbot.persistence.engine import Database
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import BarRepository, DeskStateRepository, Series, StrategyRepository

OPENS = SESSIONS.all()[0].opens


def instance(name: str, symbol: str, minutes: int = 5) -> StrategyInstance:
    return StrategyInstance(
        name, "ma_crossover", symbol, minutes, 20, {}, "c0ffee", True, "observe", record.NOON, record.NOON
    )


def store(database: Database, *instances: StrategyInstance) -> None:
    with database.transaction() as session:
        for one in instances:
            StrategyRepository(session).add(one)


def remove(database: Database, name: str) -> None:
    with database.transaction() as session:
        StrategyRepository(session).remove(name)


async def settled_by(world: TcpWorld, series: WatchedSeries) -> None:
    """Everything that the gateway has sent up to now is folded: its answer to a question comes last."""

    def answers() -> int:
        return sum(isinstance(message, TimeMessage) for message in world.told)

    before = answers()
    world.session.request_time()
    await settled(lambda: answers() > before)
    for message in world.told:
        if isinstance(message, BarMessage):
            series.on_bar(message.bar)
    world.told.clear()


async def test_bars_over_tcp_come_and_go_with_the_instances(database: Database, tmp_path: Path) -> None:
    thread = DatabaseThread("market", database)
    store(database, instance("one", "SPY"), instance("two", "SPX", 1), instance("three", "NOSUCH"))
    async with tcp_world(tmp_path / "gateway.sqlite") as world:
        series = WatchedSeries(("SPX", 5), history_days, own_sessions=10, exact=True)
        assert await series.look(world.session, thread, START) == ["the broker knows no STK NOSUCH"]
        assert series.streamed == {("SPY", 5), ("SPX", 1)}
        known = series.settle(START)
        assert [bar.start for bar in known if bar.symbol == "SPY"] == [
            OPENS + timedelta(minutes=5 * n) for n in range(6)
        ]
        assert len([bar for bar in known if bar.symbol == "SPX"]) == 30
        assert await series.look(world.session, thread, START + timedelta(seconds=10)) == []

        closed: list[Bar] = []
        for _ in range(12):
            world.pace._clock.at += timedelta(seconds=30)
            world.pace.tick()
            await settled_by(world, series)
            closed += series.settle(world.pace._clock.at)
        assert {(bar.symbol, bar.minutes) for bar in closed} == {("SPY", 5), ("SPX", 1)}
        assert min(bar.start for bar in closed if bar.symbol == "SPY") == START

        remove(database, "one")
        await series.look(world.session, thread, world.pace._clock.at)
        assert series.streamed == {("SPX", 1)}
        await settled(lambda: _charts(world) == 1)


def _charts(world: TcpWorld) -> int:
    return sum(1 for _ in of_kind(list(world.gateway.sessions.values()), Kind.CHART))


def stored(world: World, minutes: int, as_of: datetime) -> list[Bar]:
    with world.database.transaction() as session:
        return BarRepository(session).closed(Series(record.WORLD, "SPY", minutes), as_of)


async def test_the_desk_stores_the_bars_of_watched_strategies(world: World) -> None:
    running = await world.desk()
    store(world.database, instance("one", "SPY"))
    world.broker.history["SPY", 5] = [spy(-10), spy(-5), spy(0)]
    world.now = record.at(0.5)
    await running.desk.follow_lines(world.now)
    await running.desk.settle(world.now)
    assert stored(world, 5, record.at(0.5)) == [spy(-10), spy(-5)]
    running.desk.fold(BarMessage(spy(0, 101.0)))
    await running.desk.settle(record.at(5))
    assert stored(world, 5, record.at(4.5)) == [spy(-10), spy(-5)]
    assert stored(world, 5, record.at(5)) == [spy(-10), spy(-5), spy(0, 101.0)]


async def test_an_instance_that_needs_more_of_a_streamed_series_gets_its_history(world: World) -> None:
    running = await world.desk()
    store(world.database, instance("fast", "SPY"))
    world.broker.history["SPY", 5] = [spy(-10), spy(-5), spy(0)]
    world.now = record.at(0.5)
    await running.desk.follow_lines(world.now)
    await running.desk.settle(world.now)
    world.broker.history["SPY", 5] = [spy(-20), spy(-15), *world.broker.history["SPY", 5]]
    store(world.database, replace(instance("vs", "SPY"), type="vertical_spread", warm_up_bars=50 * 78))
    world.now = record.at(1)
    await running.desk.follow_lines(world.now)
    await running.desk.settle(world.now)
    assert stored(world, 5, record.at(1)) == [spy(-20), spy(-15), spy(-10), spy(-5)]
    running.desk.fold(BarMessage(spy(0, 101.0)))
    await running.desk.settle(record.at(5))
    assert stored(world, 5, record.at(5))[-1] == spy(0, 101.0)


async def test_a_reconnected_desk_asks_for_them_again(world: World) -> None:
    running = await world.desk()
    store(world.database, instance("one", "SPY"))
    world.now = record.at(0.5)
    await running.desk.follow_lines(world.now)
    assert running.desk.parts.watch.series.streamed == {("SPY", 5)}
    await running.recover()
    assert running.desk.parts.watch.series.streamed == {("SPY", 5)}
    await running.desk.ledger.settle()
    with world.database.transaction() as session:
        assert DeskStateRepository(session).reconnects() == 1


async def test_a_symbol_that_is_not_known_is_an_alert(world: World) -> None:
    running = await world.desk()
    store(world.database, instance("one", "NOSUCH"))
    world.now = record.at(0.5)
    await running.desk.follow_lines(world.now)
    await running.desk.ledger.settle()
    assert any("NOSUCH" in mail.alert.text for mail in world.alerts())


async def test_without_postgres_nothing_is_added_and_nothing_breaks(world: World) -> None:
    running = await world.desk()
    store(world.database, instance("one", "SPY"))
    running.postgres(dead=True)
    series = running.desk.parts.watch.series
    assert await series.look(running.session, running.desk.parts.market_database, record.at(0.5)) == []
    assert series.streamed == frozenset()
    running.postgres(dead=False)
    await series.look(running.session, running.desk.parts.market_database, record.at(0.5))
    assert series.streamed == {("SPY", 5)}


def spy(start: int, close: float = 100.0) -> Bar:
    return Bar("SPY", record.at(start), 5, close, close, close, close, 1.0)
