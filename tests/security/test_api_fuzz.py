"""The short form of `python -m tests.fuzz.api` (FAULTS 48)."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI, Response
from tests.fuzz.api import application, fuzz


@pytest.mark.fault(48)
def test_no_server_error_and_nothing_undocumented(database_url: str, tmp_path: Path) -> None:
    with application(database_url, tmp_path) as app:
        report = fuzz(app, 120, 1)
    assert report.failures == []
    assert report.statuses.keys() > {200, 404, 422}
    assert report.operations == sum(len(operations) for operations in app.openapi()["paths"].values())


def test_it_finds_what_is_wrong() -> None:
    app = FastAPI()

    @app.get("/broken/{number}")
    def broken(number: int) -> int:
        return 1 // (number * 0)

    @app.get("/undocumented")
    def undocumented() -> Response:
        return Response(status_code=418)

    @app.get("/other-type")
    def other_type() -> Response:
        return Response("x", media_type="text/plain")

    failures = "\n".join(fuzz(app, 12, 1).failures)
    for told in ("GET /broken/{number}: ", "GET /undocumented: ", "GET /other-type: "):
        assert told in failures
