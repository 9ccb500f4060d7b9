from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from htbot.dashboard.session import COOKIE, LONGEST_S, Sessions
from htbot.persistence.queries.tokens import StoredToken
from htbot.services.doorman import Brake, Doorman, LockedOut, TokenBook, UnknownToken
from htbot.services.tokens import Role, digest

FIRST = "first-token-of-thirty-two-letters"
HAND = "htb_hand"


class House:
    """A door with one minted token, and a clock."""

    def __init__(self, first: str = FIRST) -> None:
        self.minted = [StoredToken("hand", "operator", digest(HAND), datetime(2026, 1, 5, tzinfo=UTC))]
        self.now_s = 1_000.0
        self.book = TokenBook(first, lambda: self.minted)
        self.book.refresh()
        self.doorman = Doorman(self.book, Brake(lambda _client: None), lambda _visit: None)
        self.sessions = self.replica()

    def replica(self) -> Sessions:
        return Sessions(self.doorman, FIRST, lambda: self.now_s)

    def enter(self, token: str = HAND) -> dict[str, str]:
        return {COOKIE: self.sessions.begin(token, "10.0.0.1")}


def test_a_right_token_becomes_a_session_that_does_not_carry_it() -> None:
    house = House()
    cookies = house.enter()
    visitor = house.sessions.visitor(cookies, "10.0.0.1")
    assert visitor is not None
    principal = house.sessions.principal(visitor)
    assert (principal.actor, principal.role, principal.client) == ("dashboard:hand", Role.OPERATOR, "10.0.0.1")
    assert HAND not in cookies[COOKIE]
    assert FIRST not in cookies[COOKIE]


def test_a_wrong_token_is_counted_like_any_other() -> None:
    house = House()
    for _ in range(5):
        with pytest.raises(UnknownToken):
            house.sessions.begin("guess", "10.0.0.9")
    with pytest.raises(LockedOut):
        house.sessions.begin("guess", "10.0.0.9")
    assert house.sessions.begin(HAND, "10.0.0.9")


@pytest.mark.parametrize(
    "change", [lambda text: text[:-2], lambda text: "x" + text, lambda _text: "", lambda _text: "a.b"]
)
def test_a_cookie_that_was_not_made_here_is_none(change: object) -> None:
    house = House()
    (text,) = house.enter().values()
    assert callable(change)
    assert house.sessions.visitor({COOKIE: change(text)}, "x") is None
    assert house.sessions.visitor({}, "x") is None


def test_a_cookie_of_another_installation_is_none() -> None:
    house = House()
    other = Sessions(house.doorman, "another-first-token-of-32-letters", lambda: house.now_s)
    assert other.visitor(house.enter(), "x") is None


def test_a_revoked_token_ends_its_sessions() -> None:
    house = House()
    visitor = house.sessions.visitor(house.enter(), "x")
    assert visitor is not None
    house.minted.clear()
    house.book.refresh()
    assert house.sessions.visitor(house.enter(FIRST), "x") is not None
    with pytest.raises(UnknownToken):
        house.sessions.principal(visitor)


def test_log_out_ends_the_session_and_no_other() -> None:
    house = House()
    one, other = house.enter(), house.enter()
    visitor = house.sessions.visitor(one, "x")
    assert visitor is not None
    house.sessions.end(visitor)
    assert house.sessions.visitor(one, "x") is None
    assert house.sessions.visitor(other, "x") is not None


def test_a_log_out_outlives_a_restart_and_counts_in_every_replica(tmp_path: Path) -> None:
    house, file = House(), tmp_path / "run" / "ended"

    def started() -> Sessions:
        return Sessions(house.doorman, FIRST, lambda: house.now_s, file)

    one, replica = started(), started()
    cookies, other = house.enter(), house.enter()
    visitor = one.visitor(cookies, "x")
    assert visitor is not None
    assert replica.visitor(cookies, "x") is not None
    one.end(visitor)
    for sessions in (one, replica, started()):
        assert sessions.visitor(cookies, "x") is None
        assert sessions.visitor(other, "x") is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert visitor.session_id not in file.read_text()
    file.write_text(file.read_text() + "half a li")
    assert started().visitor(cookies, "x") is None
    house.now_s += LONGEST_S
    started()
    assert file.read_text() == ""


def test_a_log_out_that_cannot_be_written_counts_in_this_process_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House()
    (tmp_path / "run").write_text("no folder")
    sessions = Sessions(house.doorman, FIRST, lambda: house.now_s, tmp_path / "run" / "ended")
    cookies = house.enter()
    visitor = sessions.visitor(cookies, "x")
    assert visitor is not None
    sessions.end(visitor)
    assert sessions.visitor(cookies, "x") is None
    assert len([line for line in caplog.records if "by this process alone" in line.getMessage()]) == 1


def test_a_session_ends_after_half_a_day_and_outlives_a_restart() -> None:
    house = House()
    cookies = house.enter()
    house.now_s += LONGEST_S - 1
    assert house.replica().visitor(cookies, "x") is not None
    house.now_s += 1
    assert house.sessions.visitor(cookies, "x") is None
