from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.asgi import TestClient
from tests.support.people import FIRST, House, furnish, open_market
from tests.support.postgres import *  # noqa: F403 - fixtures

from htbot.persistence.engine import Database
from htbot.services.tokens import Role


@pytest.fixture
def house(database: Database, shared_api_database: Database, tmp_path: Path) -> House:
    """In its services the record is used as the API's role, so that each right which they want is seen to be given."""
    return furnish(database, tmp_path, served=shared_api_database)


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
    open_market(house)
    return house
