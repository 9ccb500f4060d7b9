from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st

from htbot.api.auth import MOST_WRONG_TRIES, REFRESH_S, WINDOW_S, Brake, Doorman, Principal, TokenBook
from htbot.domain.errors import Retryable
from htbot.persistence.queries.tokens import StoredToken
from htbot.services.tokens import Role, digest

MINTED = StoredToken("screen", "viewer", digest("minted"), datetime(2026, 1, 5, tzinfo=UTC))


class Time:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_first_token_is_admin_and_needs_no_record() -> None:
    def broken() -> list[StoredToken]:
        raise Retryable("away")

    book = TokenBook("first", broken)
    assert book.find("first") == Principal("first", Role.ADMIN)
    assert book.find("other") is None


def test_minted_tokens_outlive_the_record() -> None:
    time, answers = Time(), [[MINTED]]

    def read() -> list[StoredToken]:
        if not answers:
            raise Retryable("away")
        return answers.pop()

    book = TokenBook("first", read, time)
    assert book.find("minted") == Principal("screen", Role.VIEWER)
    time.now += REFRESH_S
    assert book.find("minted") == Principal("screen", Role.VIEWER)


def test_record_is_asked_once_per_refresh() -> None:
    time, asked = Time(), []

    def read() -> list[StoredToken]:
        asked.append(time.now)
        return []

    book = TokenBook("first", read, time)
    for _ in range(10):
        book.find("x")
    time.now += REFRESH_S
    book.find("x")
    assert asked == [1000.0, 1000.0 + REFRESH_S]


def test_brake_locks_after_five_and_opens_when_the_oldest_is_a_minute_old() -> None:
    time, told = Time(), []
    brake = Brake(told.append, time)
    for number in range(MOST_WRONG_TRIES):
        assert brake.wrong("a") is None, number
        time.now += 1
    assert brake.wrong("a") == pytest.approx(WINDOW_S - MOST_WRONG_TRIES)
    assert brake.wrong("b") is None
    time.now = 1000.0 + WINDOW_S
    assert brake.wrong("a") is None
    assert brake.wrong("a") is not None
    assert told == ["a", "a"]


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_has_more_than_five_tries_that_are_looked_at(gaps: list[float]) -> None:
    time = Time()
    brake = Brake(lambda _client: None, time)
    looked_at = []
    for gap in gaps:
        time.now += gap
        if brake.wrong("a") is None:
            looked_at.append(time.now)
    for first in looked_at:
        assert sum(1 for moment in looked_at if 0 <= moment - first < WINDOW_S) <= MOST_WRONG_TRIES


def test_many_clients_do_not_fill_the_memory() -> None:
    brake = Brake(lambda _client: None)
    for number in range(5000):
        brake.wrong(str(number))
    assert len(brake._tries) <= 1000


def test_right_token_gets_through_a_lock() -> None:
    doorman = Doorman(TokenBook("first", list), Brake(lambda _client: None))
    for _ in range(MOST_WRONG_TRIES + 1):
        with pytest.raises(HTTPException) as caught:
            doorman.admit("wrong", "a")
    assert caught.value.status_code == 429
    assert int(caught.value.headers["Retry-After"]) > 0
    assert doorman.admit("first", "a").role is Role.ADMIN
    with pytest.raises(HTTPException, match="no token"):
        doorman.admit(None, "a")


@pytest.mark.parametrize(("role", "allowed"), [("viewer", 1), ("operator", 2), ("admin", 3)])
def test_roles_include_what_is_below(role: str, allowed: int) -> None:
    assert sum(Role(role).may(needed) for needed in Role) == allowed
