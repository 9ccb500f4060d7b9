from __future__ import annotations

from uuid import uuid4

from sqlalchemy import text
from tests.support.asgi import TestClient
from tests.support.people import FIRST, House

from htbot.persistence.repositories import AuditRepository

READS = ("status", "positions", "orders", "fills", "trades", "signals", "pnl", "alerts", "metrics", "docs")
ACTS = ("halt", "resume", "close/all", "close/DU1000001", "orders/x/cancel", "trade/signal")


def test_open_pages_need_no_token_and_carry_no_secret(anybody: TestClient) -> None:
    for path in ("/health", "/ready", "/"):
        answer = anybody.get(path)
        assert answer.status_code == 200, path
        assert FIRST not in answer.text
    assert "htbot token create" in anybody.get("/").text


def test_reads_need_a_token(anybody: TestClient) -> None:
    for path in (*READS, "openapi.json", "account", f"commands/{uuid4()}"):
        answer = anybody.get(f"/{path}")
        assert answer.status_code == 401, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_acts_need_a_token_and_more_than_a_viewer(anybody: TestClient, viewer: str) -> None:
    for path in ACTS:
        body = {"reason": "test"} if path == "halt" else None
        assert anybody.post(f"/{path}", json=body).status_code == 401, path
        refused = anybody.post(f"/{path}", json=body, headers={"X-API-Key": viewer})
        assert refused.status_code == 403, path
        assert "needs role operator" in refused.json()["detail"]


def test_viewer_reads_everything(anybody: TestClient, viewer: str) -> None:
    for path in READS:
        assert anybody.get(f"/{path}", headers={"Authorization": f"Bearer {viewer}"}).status_code == 200, path


def test_revoked_token_is_unknown(anybody: TestClient, house: House, viewer: str) -> None:
    headers = {"X-API-Key": viewer}
    assert anybody.get("/status", headers=headers).status_code == 200
    house.tokens.revoke("screen", "test")
    house.rounds.turn()
    assert anybody.get("/status", headers=headers).status_code == 401


def test_wrong_tokens_are_slowed_down_and_told_and_the_right_one_gets_through(
    anybody: TestClient, house: House
) -> None:
    def guess(number: int) -> int:
        return anybody.get("/status", headers={"X-API-Key": f"guess-{number}"}).status_code

    assert [guess(number) for number in range(8)] == [401] * 5 + [429] * 3
    assert anybody.get("/status", headers={"X-API-Key": FIRST}).status_code == 200
    house.monotonic += 61
    assert guess(99) == 401
    house.rounds.turn()
    with house.database.transaction() as session:
        told = session.execute(text("SELECT kind FROM alerts")).scalars().all()
        actors = session.execute(text("SELECT actor FROM audit_log WHERE action = 'token.lockout'")).scalars().all()
    assert (told, actors) == (["wrong_tokens"], ["door:testclient"])


def test_acts_and_refusals_are_in_the_audit_log_with_address_and_key(
    anybody: TestClient, house: House, viewer: str, operator: str
) -> None:
    for token, key in ((operator, "k1"), (viewer, None), (viewer, None)):
        headers = {"X-API-Key": token} | ({"Idempotency-Key": key} if key else {})
        anybody.post("/close/all", headers=headers)
    anybody.post("/orders/nothing/cancel", headers={"X-API-Key": operator})
    anybody.post("/close/all", headers={"X-API-Key": "guess"})
    house.rounds.turn()
    with house.database.transaction() as session:
        rows = AuditRepository(session).since(None, "door")
    assert [(row.actor, row.action, row.subject, row.detail) for row in rows] == [
        ("rest:hand", "door.done", "POST /close/all", seen("k1", 202, 1)),
        ("rest:screen", "door.refused", "POST /close/all", seen(None, 403, 2)),
        ("rest:hand", "door.refused", "POST /orders/nothing/cancel", seen(None, 404, 1)),
    ]


def seen(key: str | None, status: int, times: int) -> dict[str, object]:
    return {"client": "testclient", "key": key, "status": status, "times": times}


def test_only_hashes_are_stored(house: House, viewer: str) -> None:
    with house.database.transaction() as session:
        rows = session.execute(text("SELECT * FROM api_tokens")).all()
        audit = session.execute(text("SELECT * FROM audit_log")).all()
    assert viewer not in str(rows) + str(audit)
    assert len(rows) == 1


def test_foreign_host_is_turned_away(api: TestClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example"):
        assert api.get("/status", headers={"Host": host}).status_code == 403, host


def test_foreign_origin_is_turned_away(api: TestClient) -> None:
    assert api.post("/close/all", headers={"Origin": "https://evil.example"}).status_code == 403
    assert api.post("/close/all", headers={"Origin": "null"}).status_code == 403
    assert api.post("/close/all", headers={"Origin": "http://127.0.0.1:8000"}).status_code == 202


def test_large_body_is_refused_whole_or_in_pieces(api: TestClient) -> None:
    body = b'{"reason": "' + b"x" * 70_000 + b'"}'
    for content in (body, iter([body[:40_000], body[40_000:]])):
        answer = api.post("/halt", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


MALFORMED = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"{}",
    b'{"reason": ""}',
    b'{"reason": 1}',
    b'{"reason": "a", "more": 1}',
    b'{"reason": NaN}',
    b"\xff\xfe",
    b"[" * 30_000,
)


def test_malformed_body_is_a_problem_not_a_crash(api: TestClient, house: House) -> None:
    for body in MALFORMED:
        answer = api.post("/halt", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}, body[:30]
        assert answer.headers["content-type"] == "application/problem+json"
        assert "\n" not in answer.json()["detail"]
    assert not house.stop_file.exists()


def test_security_headers(anybody: TestClient) -> None:
    headers = anybody.get("/health").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "access-control-allow-origin" not in headers


def test_reference_names_every_endpoint_without_scripts(api: TestClient) -> None:
    page = api.get("/docs").text
    assert "<script" not in page
    for path in api.get("/openapi.json").json()["paths"]:
        assert f" {path}</code>" in page


def test_unknown_path_and_method_are_problems(api: TestClient) -> None:
    assert api.get("/nothing").json()["status"] == 404
    assert api.delete("/status").json()["status"] == 405
