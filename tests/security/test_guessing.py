"""Guesses at the door of a running API (FAULTS 51)."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import text
from tests.support.api_process import TOKEN, Served
from tests.support.people import FakeLive
from tests.support.waiting import PATIENCE_S

from htbot.persistence.engine import Database
from htbot.services.tokens import Role, Tokens


@pytest.mark.fault(51)
def test_of_500_guesses_five_pass_the_door_and_the_right_token_still_gets_in(
    served: Served, shared_database: Database
) -> None:
    with httpx.Client(base_url=served.url, timeout=PATIENCE_S) as client:
        answers = [
            client.post("/close/all", headers={"Authorization": f"Bearer htb_{number:043d}"}) for number in range(500)
        ]
        assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 495}
        assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in answers[5:])
        assert client.get("/status", headers=TOKEN).status_code == 200
        assert client.get("/status", headers={"X-API-Key": "guess"}).status_code == 429
    assert told(shared_database, "SELECT kind FROM alerts") == ["wrong_tokens"]
    assert told(shared_database, "SELECT action FROM audit_log") == ["token.lockout"]


@pytest.mark.fault(51)
def test_a_minted_token_counts_within_moments_and_no_longer_than_that_when_revoked(
    served: Served, shared_database: Database
) -> None:
    tokens = Tokens(shared_database, FakeLive(said=None), lambda: datetime.now(UTC))
    token = {"Authorization": f"Bearer {tokens.mint('late', Role.VIEWER, 'test')}"}
    with httpx.Client(base_url=served.url, timeout=PATIENCE_S) as client:
        assert soon(client, token, 200)
        assert client.post("/close/all", headers=token).status_code == 403
        tokens.revoke("late", "test")
        assert soon(client, token, 429)


def soon(client: httpx.Client, token: dict[str, str], status: int) -> bool:
    """Whether a token is answered so before long."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if client.get("/openapi.json", headers=token).status_code == status:
            return True
        time.sleep(0.05)
    return False


def told(database: Database, query: str) -> list[str]:
    """The answer of a query, once the rounds have written something."""
    deadline = time.monotonic() + PATIENCE_S
    found: list[str] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.05)
        with database.transaction() as session:
            found = list(session.execute(text(query)).scalars().all())
    return found
