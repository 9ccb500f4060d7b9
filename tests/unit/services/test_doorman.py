from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import InternalError, ProgrammingError

from htbot.domain.errors import Retryable
from htbot.persistence.queries.tokens import StoredToken
from htbot.services.doorman import (
    MOST_WRONG_TRIES,
    WINDOW_S,
    Brake,
    Doorman,
    LockedOut,
    NoToken,
    Principal,
    RoleTooSmall,
    Rounds,
    TokenBook,
    UnknownToken,
    counted_as,
)
from htbot.services.tokens import Role, digest
from htbot.services.visits import Visit

MINTED = StoredToken("screen", "viewer", digest("minted"), datetime(2026, 1, 5, tzinfo=UTC))


class Time:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Record:
    """PostgreSQL as a test wants it."""

    def __init__(self) -> None:
        self.away = False
        self.tokens = [MINTED]
        self.asked = 0
        self.told: list[str] = []
        self.written: list[list[Visit]] = []

    def active(self) -> list[StoredToken]:
        self.asked += 1
        if self.away:
            raise Retryable("away")
        return self.tokens

    def write(self, visits: Sequence[Visit]) -> None:
        if self.away:
            raise Retryable("away")
        self.written.append(list(visits))

    def tell(self, client: str) -> None:
        if self.away:
            raise Retryable("away")
        self.told.append(client)


def test_first_token_is_admin_and_needs_no_record() -> None:
    record = Record()
    record.away = True
    book = TokenBook("first", record.active)
    assert book.find("first") == ("first", Role.ADMIN)
    assert book.find("other") is None


def test_nobody_at_the_door_asks_the_record() -> None:
    record = Record()
    book = TokenBook("first", record.active)
    assert book.find("minted") is None
    assert record.asked == 0
    book.refresh()
    assert [book.find("minted") for _ in range(3)] == [("screen", Role.VIEWER)] * 3
    assert record.asked == 1


def test_minted_tokens_outlive_the_record_and_end_when_they_are_revoked() -> None:
    record = Record()
    rounds = Rounds(TokenBook("first", record.active), record.tell, record.write)
    rounds.turn()
    record.away, record.tokens = True, []
    with pytest.raises(Retryable):
        rounds.turn()
    assert rounds.book.find("minted") is not None
    record.away = False
    rounds.turn()
    assert rounds.book.find("minted") is None


def test_lockouts_wait_for_the_record_and_are_told_once() -> None:
    record = Record()
    rounds = Rounds(TokenBook("first", record.active), record.tell, record.write)
    record.away = True
    rounds.note_lockout("192.0.2.1")
    with pytest.raises(Retryable):
        rounds.turn()
    record.away = False
    rounds.turn()
    rounds.turn()
    assert record.told == ["192.0.2.1"]


def test_visits_wait_for_the_record_in_order_and_are_written_once() -> None:
    record = Record()
    rounds = Rounds(TokenBook("first", record.active), record.tell, record.write)
    first, second = (Visit("rest:hand", "192.0.2.1", f"POST /{name}", None, 202) for name in ("halt", "resume"))
    rounds.note_visit(first)
    record.away = True
    for _ in range(3):
        with pytest.raises(Retryable):
            rounds.turn()
    rounds.note_visit(second)
    record.away = False
    rounds.turn()
    rounds.turn()
    assert record.written == [[first, second]]


def test_visits_that_could_not_be_written_do_not_fill_the_memory() -> None:
    class Full(Record):
        def write(self, visits: Sequence[Visit]) -> None:  # noqa: ARG002
            raise Retryable("the log is away, tokens are read")

    record = Full()
    rounds = Rounds(TokenBook("first", record.active), record.tell, record.write)
    for number in range(6000):
        rounds.note_visit(Visit("rest:hand", "192.0.2.1", f"POST /{number}", None, 202))
        if number % 1000 == 0:
            with pytest.raises(Retryable):
                rounds.turn()
    with pytest.raises(Retryable):
        rounds.turn()
    assert [rounds.visits[0].act, rounds.visits[-1].act, len(rounds.visits)] == ["POST /1000", "POST /5999", 5000]


def test_the_last_round_writes_what_is_left() -> None:
    record = Record()
    rounds = Rounds(TokenBook("first", record.active), record.tell, record.write)
    rounds.note_visit(Visit("rest:hand", "192.0.2.1", "POST /halt", None, 202))
    rounds.stop()
    assert len(record.written) == 1


def test_rounds_outlive_a_record_that_is_away_from_the_start() -> None:
    record, read = Record(), threading.Event()
    record.away = True

    def active() -> list[StoredToken]:
        try:
            return record.active()
        finally:
            if not record.away:
                read.set()

    rounds = Rounds(TokenBook("first", active), record.tell, record.write)
    rounds.start()
    record.away = False
    assert read.wait(10)
    rounds.stop()


def test_rounds_outlive_a_record_that_cannot_be_read_as_it_should() -> None:
    record, failed = Record(), threading.Event()
    refuses = [ProgrammingError("SELECT", {}, Exception("permission denied")), ValueError("no role 'owner'")]

    def active() -> list[StoredToken]:
        if refuses:
            raise refuses.pop()
        failed.set()
        return record.active()

    rounds = Rounds(TokenBook("first", active), record.tell, record.write)
    rounds.start()
    assert failed.wait(10)
    rounds.stop()
    assert rounds.book.find("minted") is not None


def test_visits_outlive_a_record_that_is_read_only() -> None:
    class ReadOnly(Record):
        def write(self, visits: Sequence[Visit]) -> None:
            if self.away:
                raise InternalError("INSERT", {}, Exception("read-only transaction"))
            super().write(visits)

    record = ReadOnly()
    rounds = Rounds(TokenBook("first", record.active), record.tell, record.write)
    rounds.note_visit(visit := Visit("rest:hand", "192.0.2.1", "POST /halt", None, 202))
    record.away, record.active = True, lambda: [MINTED]  # type: ignore[method-assign]
    rounds.stop()
    assert rounds.age_s() is None
    record.away = False
    rounds.turn()
    assert record.written == [[visit]]


def test_the_age_of_the_rounds_is_that_of_the_last_good_one() -> None:
    record, time = Record(), Time()
    rounds = Rounds(TokenBook("first", record.active), record.tell, record.write, clock=time)
    assert rounds.age_s() is None
    rounds.turn()
    time.now += 3
    record.away = True
    with pytest.raises(Retryable):
        rounds.turn()
    assert rounds.age_s() == 3


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
    for _ in range(MOST_WRONG_TRIES):
        with pytest.raises(UnknownToken):
            doorman.admit("wrong", "192.0.2.1")
    with pytest.raises(LockedOut) as caught:
        doorman.admit("wrong", "192.0.2.1")
    assert 0 < caught.value.wait_s <= WINDOW_S
    assert doorman.admit("first", "192.0.2.1") == Principal("first", Role.ADMIN, client="192.0.2.1")
    with pytest.raises(NoToken, match="no token"):
        doorman.admit(None, "192.0.2.1")


def test_a_host_is_one_client_however_many_addresses_of_its_network_it_uses() -> None:
    assert counted_as("2001:db8::1") == counted_as("2001:db8::ffff:1") != counted_as("2001:db8:0:1::1")
    assert counted_as("::ffff:192.0.2.1") == counted_as("192.0.2.1") == "192.0.2.1"
    assert counted_as("testclient") == "testclient"


def test_a_role_that_is_too_small_is_named_with_the_one_that_is_needed() -> None:
    with pytest.raises(RoleTooSmall, match=r"'screen' is a viewer's: this needs role operator"):
        Principal("screen", Role.VIEWER).require(Role.OPERATOR)


@pytest.mark.parametrize(("role", "allowed"), [("viewer", 1), ("operator", 2), ("admin", 3)])
def test_roles_include_what_is_below(role: str, allowed: int) -> None:
    assert sum(Role(role).may(needed) for needed in Role) == allowed
