"""Whatever is sent, the answer is a refusal or a deed, never a crash (FAULTS 48, 55)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.asgi import TestClient
from tests.support.people import House, chain

PAYLOADS = (
    "' OR 1=1 --",
    "a\x00b",
    "a\r\nSet-Cookie: x",
    "\x1b[31m",
    "../../etc/passwd",
    "=1+1",
    "{{7*7}}",
    "\u202e",
    "é" * 400,
)
FIELDS = (
    "strategy",
    "symbol",
    "qty_per_leg",
    "strike_long",
    "strike_short",
    "right",
    "expiry",
    "follower_id",
    "reason",
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=True)
    | st.text(max_size=40)
    | st.sampled_from([*PAYLOADS, "SPX", "vertical_spread", "4105", "4145", "P", "2022-08-26", "DU1000001"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(st.sampled_from(FIELDS), values, max_size=9) | values
unhurried = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def decent(answer: Any) -> bool:
    """No server error, and an error is a problem on one line."""
    if answer.status_code < 400:
        return True
    told = answer.json()
    return answer.status_code < 500 and told["status"] == answer.status_code and "\n" not in told["detail"]


@unhurried
@given(body=bodies)
def test_bodies(api: TestClient, house: House, body: Any) -> None:
    house.live.seen = chain()
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    for path in ("/trade/signal", "/halt", "/resume", "/close/all"):
        answer = api.post(path, content=content, headers={"Content-Type": "application/json"})
        assert decent(answer), (path, body, answer.text)


@unhurried
@given(text=st.text(max_size=60) | st.sampled_from(PAYLOADS))
def test_paths_queries_and_keys(api: TestClient, text: str) -> None:
    word = quote(text.encode("utf-8", "replace"), safe="")
    for path in (
        f"/trades/{word}/why",
        f"/commands/{word}",
        f"/trades?account={word}",
        f"/fills?day={word}&limit={word}",
    ):
        assert decent(api.get(f"/{path}")), path
    for path in (f"/close/{word}", f"/orders/{word}/cancel"):
        assert decent(api.post(path)), path


def test_payloads_are_stored_as_data(api: TestClient, house: House) -> None:
    for payload in PAYLOADS:
        answer = api.post("/halt", json={"reason": payload})
        assert answer.status_code == 200, payload
        (first, *_) = api.get("/status").json()["halt"]
        assert first["source"] == "rest"
        assert first["reason"].isprintable()
        assert house.stop_file.read_text().count("\n") == 1
        assert api.post("/resume").json()["halted"] is False
