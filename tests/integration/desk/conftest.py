from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.desk import World
from tests.support.postgres import (  # noqa: F401 - fixtures
    database,
    database_url,
    postgres_server,
    record_template,
    shared_database,
    shared_database_url,
)
from tests.support.valkey import redis_url, valkey_server  # noqa: F401 - fixtures

from htbot.persistence.engine import Database


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:  # noqa: F811
    made = World(database, tmp_path)
    yield made
    made.close()
