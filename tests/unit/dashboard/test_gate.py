"""The door of the pages and the login, without NiceGUI: a bare application stands behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.websockets import WebSocketDisconnect
from tests.support.asgi import TestClient
from tests.unit.dashboard.test_session import FIRST, HAND, House

from htbot.dashboard.gate import Gate
from htbot.dashboard.login import router
from htbot.dashboard.session import COOKIE

HTML = {"Accept": "text/html"}


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    app = FastAPI()
    app.state.sessions = house.sessions
    app.include_router(router)
    app.add_api_route("/dashboard/secret", lambda: "inside")
    app.add_api_route("/dashboardish", lambda: "not ours")
    app.add_api_route("/status", lambda: "the API's own")
    app.add_middleware(Gate, sessions=house.sessions)
    with TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False) as made:
        yield made


def enter(client: TestClient, token: str = HAND) -> None:
    assert client.post("/dashboard/login", data={"token": token}).status_code == 303


def test_nothing_is_served_without_a_session_but_the_way_in(client: TestClient) -> None:
    answer = client.get("/dashboard/secret", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/login?next=%2Fdashboard%2Fsecret")
    assert client.get("/dashboard/secret").status_code == 401
    assert client.post("/dashboard/logout", headers=HTML).status_code == 401
    assert client.get("/dashboard/_nicegui/x.js").status_code == 401
    assert client.get("/dashboard/login").status_code == 200
    assert client.get("/dashboard/login/x").status_code == 401
    assert client.get("/dashboard/static/../secret").status_code == 401
    assert (client.get("/status").status_code, client.get("/dashboardish").status_code) == (200, 200)


def test_a_right_token_opens_and_the_cookie_is_for_these_pages_only(client: TestClient) -> None:
    answer = client.post("/dashboard/login", data={"token": f" {HAND} "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/")
    cookie = answer.headers["set-cookie"].lower()
    for wanted in ("httponly", "samesite=strict", "path=/dashboard"):
        assert wanted in cookie
    assert "secure" not in cookie
    assert client.get("/dashboard/secret").text == '"inside"'
    assert client.get("/dashboard/login").status_code == 303


def test_over_tls_the_cookie_is_secure(client: TestClient) -> None:
    answer = client.post("https://127.0.0.1:8000/dashboard/login", data={"token": FIRST})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_wrong_tokens_are_told_and_then_locked_out_but_the_right_one_gets_in(client: TestClient) -> None:
    answers = [client.post("/dashboard/login", data={"token": f"guess-{number}"}) for number in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert "Retry-After" in answers[-1].headers
    assert "guess" not in answers[0].text
    assert COOKIE not in client.cookies
    enter(client)


def test_log_out_forgets_the_session_also_where_the_cookie_was_kept(client: TestClient) -> None:
    enter(client)
    kept = client.cookies[COOKIE]
    assert client.post("/dashboard/logout").headers["location"] == "/dashboard/login"
    client.cookies.set(COOKIE, kept, path="/dashboard")
    assert client.get("/dashboard/secret").status_code == 401


def test_a_revoked_token_opens_nothing_any_more(client: TestClient, house: House) -> None:
    enter(client)
    house.minted.clear()
    house.book.refresh()
    assert client.get("/dashboard/secret").status_code == 401


def test_the_login_runs_no_script_and_takes_nothing_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/dashboard/login")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<script" not in answer.text
    assert re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
    assert all(url.startswith("/dashboard/") for url in re.findall(r'(?:src|href|action)="([^"]*)"', answer.text))
    assert answer.headers["referrer-policy"] == "same-origin"


def test_a_socket_without_a_session_is_closed(client: TestClient) -> None:

    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/dashboard/_nicegui_ws/socket.io"):
        pass
    assert refused.value.code == 4401


@pytest.mark.parametrize("text", ["htbot_session=x; =; ;;", "\x01=2", "htbot_session"])
def test_broken_cookies_are_no_session(client: TestClient, text: str) -> None:
    assert client.get("/dashboard/secret", headers={"Cookie": text}).status_code == 401


def test_the_page_that_was_wanted_is_shown_after_the_login(client: TestClient) -> None:
    told = client.get("/dashboard/secret?look=7", headers=HTML).headers["location"]
    assert told == "/dashboard/login?next=%2Fdashboard%2Fsecret%3Flook%3D7"
    assert 'name="next" value="/dashboard/secret?look=7"' in client.get(told).text
    wrong = client.post("/dashboard/login", data={"token": "guess", "next": "/dashboard/secret"})
    assert 'value="/dashboard/secret"' in wrong.text
    right = client.post("/dashboard/login", data={"token": HAND, "next": "/dashboard/secret?look=7"})
    assert right.headers["location"] == "/dashboard/secret?look=7"
    assert client.get(told).headers["location"] == "/dashboard/secret?look=7"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/dashboard//evil",
        "/dashboard/../status",
        "/status",
        "/dashboard/\\evil",
        "/dashboard/logout",
        "/dashboard/login?next=/dashboard/login",
        "/dashboard/a\r\nSet-Cookie: a=b",
        "/dashboard/" + "a" * 999,
        "/dashboard/" + "a" * 400 + "!",
    ],
)
def test_no_login_leads_anywhere_else(client: TestClient, elsewhere: str) -> None:
    answer = client.post("/dashboard/login", data={"token": HAND, "next": elsewhere})
    assert answer.headers["location"] == "/dashboard/"
