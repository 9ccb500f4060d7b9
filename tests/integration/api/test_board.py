"""`/status` and `/positions` from the picture: the same JSON as models make, and answered with PostgreSQL gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.opened import opened_trade
from tests.support.people import FIRST, House, chain, furnish
from tests.support.postgres import PostgresServer

from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.queries.shapes import PositionView
from htbot.services.status_view import StatusView

AS_FIRST = {"X-API-Key": FIRST}


def test_bytes_and_models_say_the_same(api: TestClient, house: House) -> None:
    opened_trade(house.database)
    house.live.seen = chain()
    status, positions = api.get("/status"), api.get("/positions")
    told = status.json()
    expected = TypeAdapter(StatusView).dump_python(house.queries.status(), mode="json")
    assert told.pop("age_s") == pytest.approx(float(status.headers["x-age-s"]), abs=0.01)
    expected.pop("age_s")
    assert told == expected
    assert list(told) == list(expected)
    held = TypeAdapter(list[PositionView]).dump_python(house.queries.positions(), mode="json")
    assert positions.json() == held
    assert len(held) == 2
    assert positions.headers["x-as-of"] == told["as_of"] == "2026-01-05T12:00:00Z"
    assert positions.headers["content-type"] == status.headers["content-type"] == "application/json"
    documented = api.get("/openapi.json").json()["components"]["schemas"]["StatusView"]["properties"]
    assert set(documented) == set(api.get("/status").json())


def test_positions_of_an_account(api: TestClient, house: House) -> None:
    opened_trade(house.database)
    assert api.get("/positions").json() == api.get("/positions", params={"account": record.ACCOUNT}).json()
    assert api.get("/positions", params={"account": "all"}).json() == api.get("/positions").json()
    assert api.get("/positions", params={"account": "DU999"}).json() == []
    assert api.get("/positions", params={"account": "not one"}).status_code == 422


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {FIRST}"},
        {"Authorization": f"bearer  {FIRST} "},
        {"Authorization": f"Basic {FIRST}"},
        {"Authorization": FIRST},
        {"Authorization": "Bearer"},
        {"X-API-Key": FIRST},
        {"X-API-Key": "wrong"},
        {"Authorization": "Bearer wrong", "X-API-Key": FIRST},
        {"Authorization": f"Basic {FIRST}", "X-API-Key": FIRST},
        {"X-API-Key": "\u00e4\u00f6".encode("latin-1")},
    ],
)
def test_the_door_is_the_same_for_every_read(anybody: TestClient, headers: dict[str, Any]) -> None:
    asked = {path: anybody.get(path, headers=headers) for path in ("/orders", "/status", "/status?x=1", "/positions")}
    assert len({(answer.status_code, answer.headers.get("www-authenticate")) for answer in asked.values()}) == 1


def test_a_command_of_this_process_is_in_the_next_status(house: House) -> None:
    app = house.app(background=True)
    with TestClient(app, base_url="http://127.0.0.1:8000", headers=AS_FIRST) as api:
        assert api.get("/status").json()["halt"] is None
        for _ in range(3):
            assert api.post("/halt", json={"reason": "news"}).status_code == 200
            assert api.get("/status").json()["halt"] is not None
            assert api.post("/resume").status_code == 200
            assert api.get("/status").json()["halt"] is None


@pytest.mark.fault(14)
def test_status_and_positions_are_told_while_postgres_is_gone(
    postgres_server: PostgresServer, record_template: str, tmp_path: Path
) -> None:
    url = postgres_server.create(record_template)
    database = Database(url, EngineOptions(connect_timeout_s=20, pool_timeout_s=1))
    house = furnish(database, tmp_path)
    opened = opened_trade(database)
    with TestClient(house.app(background=True), base_url="http://127.0.0.1:8000", headers=AS_FIRST) as api:
        assert api.get("/status").json()["open_trade"]["id"] == opened.id
        postgres_server.drop(url)
        house.stop_file.write_text("by hand")
        assert api.get("/orders").status_code == 503
        first = api.get("/status")
        while not (later := api.get("/status").json())["halt"]:  # what needs no record is told as it is now
            pass
        assert first.status_code == 200
        assert later["open_trade"]["id"] == opened.id
        assert later["age_s"] >= json.loads(first.content)["age_s"]
        assert later["as_of"] == first.headers["x-as-of"]
        assert len(api.get("/positions").json()) == 2
    database.close()
