"""PostgreSQL's disk is full: no new orders, exits leave, a person is told without it, and it goes on when there is room
(FAULTS 15)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import func, select, text
from tests.support import record
from tests.support.desk import Running, World
from tests.support.small_disk import SmallPostgres, small_disk
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.install.migrate import create_database
from htbot.bootstrap.install.processes import wait_until
from htbot.bootstrap.install.rounds import Rounds, refusals
from htbot.bootstrap.install.telling import tell
from htbot.desk.line import Line
from htbot.domain.errors import Retryable
from htbot.domain.orders import IntentState
from htbot.domain.trades import TradeState
from htbot.persistence.engine import Database
from htbot.persistence.migrations import upgrade
from htbot.persistence.repositories import AlertRepository
from htbot.persistence.rows import Base
from htbot.services.desk_line import DeskLine
from htbot.settings import load_settings

STOP = {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
KEPT = ("alerts", "fills", "intents", "orders", "trades")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallPostgres]:
    with small_disk(tmp_path_factory.mktemp("small") / "disk", 100_000) as disk:
        made = SmallPostgres(disk)
        assert wait_until(lambda: _answers(made), PATIENCE_S)
        create_database(made.url("postgres"), "htbot")
        upgrade(made.url("htbot"))
        yield made


@pytest.fixture
def small_world(server: SmallPostgres, tmp_path: Path) -> Iterator[World]:
    database = Database(server.url("htbot"))
    made = World(database, tmp_path)
    yield made
    made.close()
    database.close()


def _answers(server: SmallPostgres) -> bool:
    try:
        psycopg2.connect(server.url("postgres"), connect_timeout=30).close()
    except psycopg2.OperationalError:
        return False
    return True


def rows(database: Database) -> dict[str, int]:
    with database.transaction() as session:
        return {
            name: session.scalars(select(func.count()).select_from(Base.metadata.tables[name])).one() for name in KEPT
        }


def started(database: Database) -> object:
    with database.transaction() as session:
        return session.execute(text("SELECT pg_postmaster_start_time()")).scalar_one()


def one_more(database: Database, number: int) -> str:
    """An alert of a busy desk; what PostgreSQL says against it."""
    try:
        with database.transaction() as session:
            AlertRepository(session).add(record.alert(f"busy-{number}"))
    except Retryable as error:
        return str(error)
    return ""


def until_full(database: Database) -> None:
    """Alerts until there is no room for another."""
    said = next(said for number in range(100_000) if (said := one_more(database, number)))
    assert "No space left on device" in said


async def until_refused(desk: Running) -> None:
    """The desk's own writes until one is refused: a small row may find room where another table found none."""
    async with asyncio.timeout(PATIENCE_S):
        for number in count():
            if desk.desk.parts.orders_database.trouble is not None:
                return
            if not desk.desk.ledger.behind:
                alert = record.alert(f"desk-{number}")
                desk.desk.ledger.post(lambda db, alert=alert: AlertRepository(db).add(alert))
            await asyncio.sleep(0.02)


def hear(desk: Running) -> None:
    """What the broker has told, with nothing written."""
    inbox = desk.desk.parts.inbox
    while not inbox.empty():
        desk.desk.fold(inbox.get_nowait())


@pytest.mark.fault(15)
@pytest.mark.slow
async def test_no_new_order_leaves_and_exits_do(server: SmallPostgres, small_world: World, tmp_path: Path) -> None:
    world, database = small_world, small_world.database
    desk = await world.desk()
    intent = await desk.opened()
    waiting, up = world.enter(2, strategy="another"), started(database)
    server.disk.fill()
    until_full(database)
    committed = rows(database)

    desk.desk.tell_connection(connected=False, detail="1100")  # must be written, and cannot be
    writing = asyncio.ensure_future(desk.desk.ledger.run())
    entering = asyncio.ensure_future(desk.desk.act(world.now))
    await until_refused(desk)
    world.broker.quotes |= STOP
    world.after(market_s=5)
    hear(desk)
    assert desk.desk.guard.look(world.now) == 1
    await desk.desk.guard.settle()
    [_, (ref, _, _)] = desk.session.placed
    assert "-X1" in ref, "the exit has left"
    world.broker.fill(ref)
    world.broker.report_commissions(ref)
    hear(desk)
    assert desk.desk.guard.trades == []

    await told_without_postgres(desk, server, tmp_path)
    assert [placed for placed, _, _ in desk.session.placed] == [intent.ref, ref], "and nothing new has"
    assert started(database) == up, "it went on reading all the time"

    server.disk.free()
    await asyncio.wait_for(entering, PATIENCE_S)
    await asyncio.wait_for(desk.desk.ledger.settle(), PATIENCE_S)
    writing.cancel()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    assert all(count >= committed[name] for name, count in rows(database).items())
    await desk.turn()
    assert world.state(waiting.ref) is IntentState.WORKING, "the entry that waited leaves now"


async def told_without_postgres(desk: Running, server: SmallPostgres, folder: Path) -> None:
    """The alarm asks the desk by its line, and hands what it hears to the channels."""
    settings = load_settings(folder, {"DATABASE_URL": server.url("htbot"), "REDIS_URL": "redis://127.0.0.1:1/0"})
    run = folder / "run"
    run.mkdir()
    line = asyncio.ensure_future(Line(desk.desk, run, desk.world.stop_file).serve())
    assert await asyncio.to_thread(wait_until, (run / "desk.sock").exists, PATIENCE_S)
    rounds = Rounds([lambda: refusals(DeskLine(run), lasts_s=0)])
    found = await asyncio.to_thread(rounds.look, lambda message: tell(settings, message))
    line.cancel()
    assert [trouble.kind for trouble in found] == ["postgres"]
    assert "No space left on device" in found[0].detail
    [mail] = settings.paths.mail.glob("*.eml")
    assert "PostgreSQL does not take" in mail.read_text(encoding="utf-8")
