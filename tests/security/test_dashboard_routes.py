"""Every route of the dashboard in the application as the process puts it together: closed without a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect
from tests.security.routes import filled, routes_of
from tests.support.api_process import environment
from tests.support.asgi import TestClient

from htbot.api.__main__ import assemble
from htbot.api.app import make_app
from htbot.api.rooms import DASHBOARD_PATH
from htbot.bootstrap.api import build_api
from htbot.services.doorman import Rounds, TokenBook
from htbot.settings import load_settings

THE_WAY_IN = (f"{DASHBOARD_PATH}/login", f"{DASHBOARD_PATH}/static")


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    process = build_api(load_settings(tmp_path, environment(tmp_path, DATABASE_URL=database_url)))
    rounds = Rounds(TokenBook("first", list), lambda _client: None, lambda _visits: None)
    yield TestClient(make_app(assemble(process, rounds)), base_url="http://127.0.0.1:8000")
    process.people.database.close()


@pytest.mark.fault(51)
def test_nothing_of_it_is_open_but_the_way_in(client: TestClient) -> None:
    found = [route for route in routes_of(client.app.routes) if route.path.startswith(DASHBOARD_PATH)]
    assert len(found) > 10
    unseen = (f"{DASHBOARD_PATH}/_nicegui/x.js", f"{DASHBOARD_PATH}/_nicegui_ws/socket.io/", f"{DASHBOARD_PATH}/new")
    paths = {route.path for route in found if route.kind != "websocket"} | set(unseen)
    wrong = []
    for path in sorted(paths):
        for method in ("GET", "POST", "DELETE"):
            status = client.request(method, filled(path), follow_redirects=False).status_code
            if not path.startswith(THE_WAY_IN) and status not in {401, 303}:
                wrong.append((method, path, status))
    assert wrong == []
    for path in [route.path for route in found if route.kind == "websocket"] + list(unseen[1:2]):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(filled(path)):
            pytest.fail(f"{path} lets strangers in")
