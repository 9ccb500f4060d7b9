"""Other people's clients, unmodified: every row of docs/reference/conformance.md, run with each of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.conformance.clients import LIBRARIES, SPEED, START, Library, installed, run
from tests.conformance.page import PAGE, page
from tests.conformance.registry import FAIL, Result

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Result]]:
    """All four at once, each with a gateway of its own."""
    missing = [library.name for library in LIBRARIES if not installed(library)]
    assert not missing, f"clients that are not in .venv/clients: {missing}; ./test.sh installs them"
    folder: Path = tmp_path_factory.mktemp("conformance")
    with ThreadPoolExecutor(len(LIBRARIES)) as pool:
        columns = list(pool.map(lambda library: run(library, folder), LIBRARIES))
    return {library.name: column for library, column in zip(LIBRARIES, columns, strict=True)}


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_every_answer_is_what_the_client_expects(library: Library, results: dict[str, list[Result]]) -> None:
    failed = [f"{row.request}: {row.behaviour}: {row.reason}" for row in results[library.name] if row.outcome == FAIL]
    assert failed == []


def test_the_page_is_what_the_command_gives(results: dict[str, list[Result]]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(results, START, SPEED), "run: python -m tests.conformance --write"
