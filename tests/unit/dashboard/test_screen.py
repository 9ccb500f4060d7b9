"""What a person asks or does on a page always has an answer, and what was done a row of the audit log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from htbot.dashboard.look import Look
from htbot.dashboard.pages import PAGES
from htbot.dashboard.screen import Screen
from htbot.dashboard.session import COOKIE, Sessions
from htbot.domain.errors import NotFound
from htbot.persistence.queries.tokens import StoredToken
from htbot.services.callers import Caller
from htbot.services.doorman import Brake, Doorman, TokenBook
from htbot.services.tokens import Role, digest
from htbot.services.visits import Visit

FIRST, HAND = "first-token-of-thirty-two-letters", "htb_hand"


@dataclass
class Tab(Screen):
    """A screen that keeps what it tells."""

    told: list[str] = field(default_factory=list)

    def tell(self, text: str, *, good: bool) -> None:
        assert not good
        self.told.append(text)


@dataclass
class Room:
    """A tab of somebody who is logged in as operator; `opened` are addresses that it was sent to."""

    minted: list[StoredToken] = field(
        default_factory=lambda: [StoredToken("hand", "operator", digest(HAND), datetime(2026, 1, 5, tzinfo=UTC))]
    )
    visits: list[Visit] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.book = TokenBook(FIRST, lambda: self.minted)
        self.book.refresh()
        doorman = Doorman(self.book, Brake(lambda _client: None), self.visits.append)
        sessions = Sessions(doorman, FIRST)
        visitor = sessions.visitor({COOKIE: sessions.begin(HAND, "10.0.0.1")}, "10.0.0.1")
        assert visitor is not None
        dashboard: Any = SimpleNamespace(
            doorman=doorman,
            sessions=sessions,
            feed=SimpleNamespace(changed=lambda: self.refreshed.append("feed")),
            reader=SimpleNamespace(refresh=lambda: self.refreshed.append("reader")),
        )
        client = cast("Any", SimpleNamespace(open=self.opened.append))
        page, look = PAGES[0], Look.of({})
        self.tab = Tab(dashboard, page, visitor, sessions.principal(visitor), look, {}, client)

    def revoke(self) -> None:
        self.minted.clear()
        self.book.refresh()


def broken(*_arguments: object) -> str:
    raise KeyError("order")


async def test_a_question_is_answered() -> None:
    room = Room()
    assert await room.tab.ask(str.upper, "a") == "A"
    assert (room.tab.told, room.opened) == ([], [])


async def test_a_session_that_has_ended_asks_nothing_more_on_its_open_socket() -> None:
    room, asked = Room(), []
    room.revoke()
    assert await room.tab.ask(asked.append, 1) is None
    assert (asked, room.opened) == ([], ["/login"]), "NiceGUI puts /dashboard before it"
    room.tab.address = "/dashboard/signals?look=7"
    assert await room.tab.ask(asked.append, 1) is None
    assert room.opened[1:] == ["/login?next=%2Fdashboard%2Fsignals%3Flook%3D7"]


async def test_what_cannot_be_answered_is_told() -> None:
    def missing() -> str:
        raise NotFound("there is no trade x")

    room = Room()
    assert await room.tab.ask(missing) is None
    assert await room.tab.ask(broken) is None
    assert (room.tab.told[0], "api.log" in room.tab.told[1]) == ("there is no trade x", True)


@pytest.mark.parametrize(("needed", "status"), [(Role.OPERATOR, 500), (Role.ADMIN, 403)])
async def test_an_act_that_fails_is_told_and_written_down(needed: Role, status: int) -> None:
    room = Room()
    assert await room.tab.act(needed, broken, "key") is None
    assert len(room.tab.told) == 1
    assert [(visit.actor, visit.key, visit.status) for visit in room.visits] == [("dashboard:hand", "key", status)]
    assert bool(room.refreshed) == (status == 500)


async def test_an_act_is_done_in_the_name_of_the_visitor() -> None:
    room = Room()
    assert await room.tab.act(Role.OPERATOR, lambda caller: caller, "key") == Caller("dashboard:hand", "key")
    assert [visit.status for visit in room.visits] == [200]
    assert room.refreshed == ["feed", "reader"]
