"""Every route of the dashboard in the application as the process puts it together: closed without a session."""

from __future__ import annotations

from collections.abc import Iterator

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


@pytest.fixture(scope="module")
def client(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """NiceGUI is put into one application of a process."""
    folder = tmp_path_factory.mktemp("dashboard")
    process = build_api(load_settings(folder, environment(folder, DATABASE_URL=shared_database_url)))
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


def test_a_browser_reads_the_reference_by_its_session_and_acts_by_a_token_only(client: TestClient) -> None:
    html = {"Accept": "text/html"}
    for path in ("/docs", "/openapi.json"):
        assert client.get(path).status_code == 401, "a program is asked for its token"
        sent = client.get(path, headers=html, follow_redirects=False)
        assert (sent.status_code, sent.headers["location"]) == (303, f"{DASHBOARD_PATH}{path}")
        wrong = client.get(path, headers={**html, "Authorization": "Bearer guess"}, follow_redirects=False)
        assert wrong.status_code == 401, "a wrong token is one"
    login = client.get("/docs", headers=html)
    assert login.url.path == f"{DASHBOARD_PATH}/login"
    shown = client.post(login.url.path, data={"token": "first", "next": f"{DASHBOARD_PATH}/docs"}, headers=html)
    assert shown.url.path == f"{DASHBOARD_PATH}/docs"
    assert "SwaggerUIBundle" in shown.text
    assert "http" not in shown.text.replace("http://127.0.0.1:8000", ""), "nothing from another machine"
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert client.get(f"{DASHBOARD_PATH}/docs/{name}").status_code == 200
        assert f"{DASHBOARD_PATH}/docs/{name}" in shown.text
    assert client.get(f"{DASHBOARD_PATH}/docs/core.py").status_code == 422
    assert client.get("/docs", headers=html).url.path == f"{DASHBOARD_PATH}/docs", "logged in: straight to it"
    document = client.get("/openapi.json", headers=html).json()
    assert {"type": "http", "scheme": "bearer"}.items() <= document["components"]["securitySchemes"][
        "HTTPBearer"
    ].items()
    assert client.get("/status").status_code == client.post("/close/all").status_code == 401, (
        "the cookie acts for nobody"
    )
