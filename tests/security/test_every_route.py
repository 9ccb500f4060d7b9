"""Every route of the application, found when the test runs: closed without a token, and to roles that are too small.

Whoever adds a route adds nothing here, unless it acts with another role than operator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect
from tests.security.routes import READING, filled, routes_of
from tests.support.asgi import TestClient
from tests.support.people import FIRST, House, furnish

from htbot.api.auth import OPEN
from htbot.api.rooms import DASHBOARD_PATH
from htbot.api.streams.session import MALFORMED, UNKNOWN_TOKEN
from htbot.persistence.engine import Database
from htbot.services.tokens import Role

OPEN_BELOW = (f"{DASHBOARD_PATH}/login", f"{DASHBOARD_PATH}/static/")
"""Of the dashboard the login page and static files (RULINGS 36)."""
ACTS_AS: dict[tuple[str, str], Role] = {
    ("POST", "/api/risk/reset-circuit-breaker"): Role.ADMIN,
    ("POST", "/api/strategies/evaluate"): Role.VIEWER,  # stores nothing
    ("POST", "/api/trading/ibkr/test"): Role.VIEWER,  # the same as GET
    ("POST", "/api/v1/risk/breaker/reset"): Role.ADMIN,
    ("POST", "/api/v1/risk/reset-circuit-breaker"): Role.ADMIN,
    ("POST", "/api/v1/service/{name}/restart"): Role.ADMIN,
}
"""Role of what acts, where it is not operator: method and path as the application spells it."""
TURNED_AWAY = {401, 403}
_TO_LOGIN = {302, 303, 307}
JSON = {"Content-Type": "application/json"}
SENT_BY_STRANGERS: tuple[tuple[dict[str, str], bytes], ...] = (
    (JSON, b"{"),
    (JSON, b"\xff\xfe"),
    (JSON, b"[" * 30_000),
    (JSON, b'{"reason": "' + b"x" * 100_000 + b'"}'),
    (JSON | {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    (JSON | {"Content-Length": "many"}, b"{}"),
    ({"Content-Type": "text/plain"}, b"reason"),
    ({"Content-Type": "multipart/form-data"}, b"reason"),
    ({"Idempotency-Key": "no key"}, b""),
)


def calls(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every HTTP route."""
    found = (route for route in routes_of(app.routes) if route.kind == "http")
    return sorted((method, route.path) for route in found for method in route.methods - {"OPTIONS", "HEAD"})


def is_open(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_BELOW)


@pytest.fixture
def house(database: Database, shared_api_database: Database, tmp_path: Path) -> House:
    return furnish(database, tmp_path, served=shared_api_database)


def asked(client: TestClient, method: str, path: str, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return int(client.request(method, filled(path), headers=headers, follow_redirects=False).status_code)


def test_nothing_is_open_but_what_is_named(house: House) -> None:
    app = house.app()
    found = calls(app)
    assert frozenset({"/", "/health", "/ready"}) == OPEN  # RULINGS 36
    assert {path for _, path in found} >= OPEN | {"/status", "/close/all", "/docs", "/openapi.json"}
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        answers = {(method, path): asked(client, method, path, None) for method, path in found}
        wrong = asked(client, "GET", "/status", "guess")
    closed = {call for call, status in answers.items() if status in TURNED_AWAY}
    closed |= {(m, p) for (m, p), s in answers.items() if s in _TO_LOGIN and p.startswith(DASHBOARD_PATH)}
    assert {call for call in answers if not is_open(call[1])} == closed
    assert all(status == 200 for (_, path), status in answers.items() if path in OPEN)
    assert wrong == 401


def test_each_role_may_do_what_it_is_for_and_no_more(house: House) -> None:
    app = house.app()
    tokens = {Role.VIEWER: house.mint("screen", Role.VIEWER), Role.OPERATOR: house.mint("hand", Role.OPERATOR)}
    tokens[Role.ADMIN] = FIRST
    wrong: list[tuple[Any, ...]] = []
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        for method, path in calls(app):
            if is_open(path) or path.startswith(DASHBOARD_PATH):
                continue
            needed = ACTS_AS.get((method, path), Role.VIEWER if method in READING else Role.OPERATOR)
            for role, token in tokens.items():
                status = asked(client, method, path, token)
                if (status in TURNED_AWAY) == role.may(needed) or status >= 500:
                    wrong.append((method, path, role, status))
    assert wrong == []


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"type": "auth", "token": "guess"}, UNKNOWN_TOKEN),
        ({"token": "guess"}, MALFORMED),
    ],
    ids=["wrong token", "no token"],
)
def test_websockets_close_to_a_stranger_and_say_nothing_before(house: House, said: dict[str, str], code: int) -> None:
    paths = [
        route.path
        for route in routes_of(house.app().routes)
        if route.kind == "websocket" and not route.path.startswith(DASHBOARD_PATH)
    ]
    assert paths
    answers = {}
    for path in paths:  # an application each: five wrong tokens would lock the client out
        with TestClient(house.app(), base_url="http://127.0.0.1:8000") as client:
            answers[path] = told_to_a_stranger(client, filled(path), said)
    assert answers == dict.fromkeys(paths, code)


def told_to_a_stranger(client: TestClient, path: str, said: dict[str, str]) -> Any:
    """The code that a WebSocket closes with after a first message; what it says instead, when it says something."""
    try:
        with client.websocket_connect(f"ws://127.0.0.1:8000{path}") as opened:
            opened.send_json(said)
            return opened.receive_json()
    except WebSocketDisconnect as closed:
        return closed.code


def test_nothing_is_mounted_that_this_test_does_not_see(house: House) -> None:
    blind = [route for route in routes_of(house.app().routes) if route.kind not in {"http", "websocket"}]
    assert [route for route in blind if not is_open(f"{route.path}/")] == []


def test_the_walk_finds_routes_of_every_kind() -> None:
    inner, router = FastAPI(docs_url=None, redoc_url=None, openapi_url=None), APIRouter(prefix="/router")

    @inner.get("/page/{name}")
    def page(name: str) -> str:
        return name

    @router.websocket("/ws")
    async def stream(_socket: object) -> None: ...

    @router.post("/act")
    def act() -> None: ...

    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    outer.mount("/below", inner)
    outer.mount("/files", StaticFiles(directory="."))
    outer.include_router(router, prefix="/v1")
    assert {(route.kind, route.path, route.methods) for route in routes_of(outer.routes)} == {
        ("http", "/below/page/{name}", frozenset({"GET"})),
        ("Mount", "/files", frozenset()),
        ("websocket", "/v1/router/ws", frozenset()),
        ("http", "/v1/router/act", frozenset({"POST"})),
    }


@pytest.mark.fault(51)
def test_a_route_that_asks_for_no_token_is_closed_all_the_same(house: House) -> None:
    app = house.app()

    @app.post("/forgotten")
    def forgotten() -> str:
        return "everything"

    assert ("POST", "/forgotten") in calls(app)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        assert asked(client, "POST", "/forgotten", None) == 401
        assert asked(client, "POST", "/no-such-route", None) == 401
        assert asked(client, "POST", "/forgotten", FIRST) == 200


@pytest.mark.fault(49)
@pytest.mark.fault(51)
def test_whatever_a_stranger_sends_he_is_asked_for_a_token_first(house: House) -> None:
    app = house.app()
    wrong: list[tuple[Any, ...]] = []
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        for method, path in calls(app):
            if is_open(path) or path.startswith(DASHBOARD_PATH):
                continue
            for number, (headers, body) in enumerate(SENT_BY_STRANGERS):
                answer = client.request(method, filled(path), headers=headers, content=body)
                if answer.status_code != 401 or "no token" not in answer.json()["detail"]:
                    wrong.append((method, path, number, answer.status_code))
    assert wrong == []
