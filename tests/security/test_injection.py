"""Payloads in every text that a caller can send: kept as data, told on one line (FAULTS 55)."""

from __future__ import annotations

import io
import itertools
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text
from tests.support.asgi import TestClient
from tests.support.people import FIRST, House, furnish, open_market

from htbot.persistence.engine import Database
from htbot.telemetry.logs import configure_logging

PAYLOADS = (
    "' OR 1=1 --",
    "'; DROP TABLE fills; --",
    "$(touch /tmp/x)",
    "a\x00b",
    "a\r\nSet-Cookie: x",
    "a\nFAKE LOG LINE",
    "\x1b[31mred",
    "../../etc/passwd",
    "=HYPERLINK(1)",
    "@SUM(1)",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "<script>alert(1)</script>",
    "%s%n{0.__class__}",
    "\u202eabc",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
)


@pytest.fixture
def house(database: Database, shared_api_database: Database, tmp_path: Path) -> House:
    made = furnish(database, tmp_path, served=shared_api_database)
    open_market(made)
    return made


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root, written = logging.getLogger(), io.StringIO()
    before = root.handlers, root.level
    configure_logging("api", level="DEBUG", stream=written)
    yield written
    root.handlers, _ = before
    root.setLevel(before[1])


def texts(schema: dict[str, Any], shapes: dict[str, Any]) -> Iterator[str]:
    """Names of the properties of a body that take text."""
    if "$ref" in schema:
        schema = shapes[schema["$ref"].rpartition("/")[2]]
    for option in schema.get("anyOf", []):
        yield from texts(option, shapes)
    for name, kind in schema.get("properties", {}).items():
        if "string" in json.dumps(kind):
            yield name


@pytest.mark.fault(55)
def test_every_text_of_every_operation_takes_payloads_as_data(house: House, log: io.StringIO) -> None:
    app = house.app()
    document = app.openapi()
    sent = 0
    with TestClient(app, base_url="http://127.0.0.1:8000", headers={"X-API-Key": FIRST}) as client:
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                for call in calls(path, operation, document["components"]["schemas"]):
                    answer = client.request(method, **call)
                    sent += 1
                    assert answer.status_code < 500, (method, call, answer.text)
                    assert "set-cookie" not in answer.headers
                    if answer.status_code >= 400:
                        assert answer.json()["detail"].isprintable(), (method, call, answer.text)
        house.rounds.turn()
        assert len(list(iter_route_contexts(app.routes))) > 10
    assert sent > 200
    for line in log.getvalue().splitlines():
        assert json.loads(line)["program"] == "api"
        assert "\x1b" not in line
    with house.database.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM fills")).scalar() == 0
        assert all(row.isprintable() for row in session.execute(text("SELECT subject FROM audit_log")).scalars())
        assert all(row.isprintable() for row in session.execute(text("SELECT reason FROM halts")).scalars())


def calls(path: str, operation: dict[str, Any], shapes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The operation with payloads in each of its texts, one at a time: a few for each, in turn."""
    content = operation.get("requestBody", {}).get("content", {})
    plain = path.replace("{", "").replace("}", "")
    for parameter in operation.get("parameters", []):
        for payload in in_turn():
            escaped = quote(payload, safe="")
            if parameter["in"] == "path":
                yield {"url": path.replace("{" + parameter["name"] + "}", escaped).replace("{", "").replace("}", "")}
            elif parameter["in"] == "query":
                yield {"url": f"{plain}?{parameter['name']}={escaped}"}
            elif payload.isprintable():
                yield {"url": plain, "headers": {parameter["name"]: payload.encode("utf-8")}}
    for name in texts(content.get("application/json", {}).get("schema", {}), shapes):
        for payload in in_turn():
            yield {"url": plain, "json": {name: payload}}


_TURN = itertools.cycle(PAYLOADS)


def in_turn() -> list[str]:
    """The next payloads."""
    return list(itertools.islice(_TURN, 4))


@pytest.mark.fault(55)
def test_log_lines_cannot_be_forged(log: io.StringIO) -> None:
    for payload in PAYLOADS:
        logging.getLogger("htbot.test").warning("said %s", payload)
    lines = log.getvalue().splitlines()
    assert [json.loads(line)["event"] for line in lines] == [f"said {payload}" for payload in PAYLOADS]
