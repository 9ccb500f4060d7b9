from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.api_process import Served, serving
from tests.support.postgres import *  # noqa: F403 - fixtures
from tests.support.postgres import wipe


@pytest.fixture(scope="module")
def served(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API as a process, one for all tests of a module."""
    with serving(tmp_path_factory.mktemp("api"), DATABASE_URL=shared_database_url) as running:
        yield running
    wipe(shared_database_url)
