from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import FIRST, House, chain, furnish
from tests.support.postgres import *  # noqa: F403 - fixtures

from htbot.domain.sessions import Session
from htbot.persistence.engine import Database
from htbot.persistence.records import Account
from htbot.persistence.repositories import AccountRepository, DeskStateRepository, SessionRepository
from htbot.services.tokens import Role


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return furnish(database, tmp_path)


@pytest.fixture
def anybody(house: House) -> Iterator[TestClient]:
    with TestClient(house.app(), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def api(anybody: TestClient) -> TestClient:
    """With the first token, role admin."""
    anybody.headers["Authorization"] = f"Bearer {FIRST}"
    return anybody


@pytest.fixture
def viewer(house: House) -> str:
    return house.mint("screen", Role.VIEWER)


@pytest.fixture
def operator(house: House) -> str:
    return house.mint("hand", Role.OPERATOR)


@pytest.fixture
def market(house: House) -> House:
    """A session is on, the desk streams, books agree."""
    opens, closes = record.NOON.replace(hour=13, minute=30), record.NOON.replace(hour=20)
    with house.database.transaction() as session:
        SessionRepository(session).upsert([Session(record.DAY, opens, closes)])
        desk = DeskStateRepository(session)
        desk.set_reconciled(desk.begin_epoch())
        AccountRepository(session).upsert(Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON))
    house.live.seen = chain()
    return house
