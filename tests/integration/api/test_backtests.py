"""Backtests over REST. What a job itself does: tests/integration/bootstrap/test_backtest_jobs.py."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.asgi import TestClient
from tests.support.people import House

ORDER = {
    "strategy": "ma_crossover",
    "symbol": "spy",
    "data": ["bars.csv"],
    "start": "2022-01-03",
    "cash": "50000",
    "settings": {"short_window": 2, "allow_short": True, "exit_time": None},
}


@pytest.fixture
def files(house: House) -> None:
    (data := house.folder / "data").mkdir()
    (data / "bars.csv").touch()
    (data / "notes.txt").touch()


def run(api: TestClient, key: str | None = "one", path: str = "/api/backtesting/run", **changes: Any) -> Any:
    return api.post(path, json=ORDER | changes, headers={} if key is None else {"Idempotency-Key": key})


def state(api: TestClient, run_id: str) -> str:
    return str(api.get(f"/api/backtesting/runs/{run_id}").json()["state"])


@pytest.mark.parametrize("path", ["/api/backtesting/run", "/api/trading/backtest"])
def test_an_order_becomes_a_job_by_its_key(api: TestClient, house: House, files: None, path: str) -> None:
    begun = run(api, path=path)
    assert begun.status_code == 202
    told = begun.json()
    assert (told["id"], told["by"], told["symbol"], told["cash"]) == ("one", "rest:first", "SPY", "50000")
    assert (told["data"], told["metrics"]) == (["bars.csv"], {})
    assert told["settings"] == {"short_window": "2", "allow_short": "True"}
    assert str(house.folder) not in begun.text
    assert run(api, path=path).json()["id"] == "one"
    assert [one["id"] for one in api.get("/api/backtesting/runs").json()] == ["one"]
    assert run(api, path=path, symbol="QQQ").status_code == 409
    assert state(api, "one") == "failed", "the test's process leaves no result"
    assert run(api, None).json()["id"] not in {"one", ""}


def test_a_failure_is_told_without_the_paths_of_the_machine(api: TestClient, house: House, files: None) -> None:
    run(api)
    placed = json.loads((house.folder / "backtests" / "one" / "order.json").read_text())["order"]["data"][0]
    assert placed.startswith("/")
    outcome = {"ok": False, "error": f"{placed}: missing columns close"}
    (house.folder / "backtests" / "one" / "outcome.json").write_text(json.dumps(outcome))
    assert api.get("/api/backtesting/runs/one").json()["error"] == "bars.csv: missing columns close"


def test_what_cannot_be_run_is_refused_before_anything_is_started(api: TestClient, files: None) -> None:
    for changes, status, words in (
        ({"strategy": "ma_crosover"}, 404, "did you mean ma_crossover?"),
        ({"settings": {"short_windo": 2}}, 400, "did you mean short_window?"),
        ({"settings": {"short_window": 0}}, 400, "1 to 500"),
        ({"data": ["notes.txt"]}, 400, "no Parquet or CSV file"),
        ({"data": ["../bars.csv"]}, 422, "data.0"),
        ({"end": "2022-01-02"}, 400, "before start"),
        ({"cash": "0"}, 422, "cash"),
        ({"fill": "close"}, 422, "fill"),
    ):
        told = run(api, **changes)
        assert (told.status_code, words in told.json()["detail"]) == (status, True), (changes, told.text)
    assert run(api, "no/key").status_code == 400
    assert api.get("/api/backtesting/runs").json() == []


def test_the_figures_are_those_of_the_newest_that_is_done(api: TestClient, house: House, files: None) -> None:
    assert api.get("/api/backtesting/metrics").status_code == 404
    run(api)
    assert api.get("/api/backtesting/metrics?run=one").status_code == 404
    outcome = {"ok": True, "summary": [["net profit", "12.50 USD"]]}
    (house.folder / "backtests" / "one" / "outcome.json").write_text(json.dumps(outcome))
    for query in ("", "?run=one"):
        assert api.get(f"/api/backtesting/metrics{query}").json()["metrics"] == {"net profit": "12.50 USD"}
    assert api.post("/api/backtesting/runs/one/stop").json()["state"] == "done"
    assert api.post("/api/backtesting/runs/two/stop").status_code == 404


def test_what_can_be_played_and_over_what(api: TestClient, files: None) -> None:
    names = {one["name"] for one in api.get("/api/backtesting/strategies").json()}
    assert names == {one["name"] for one in api.get("/api/strategies").json()}
    assert "strangle_momentum" in names
    assert api.get("/api/backtesting/files").json() == ["bars.csv"]
