"""The dashboard as a part of the API's application: its door, its login, its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from htbot.bootstrap.people import People
from htbot.dashboard.ended import FILE_NAME
from htbot.dashboard.gate import Gate
from htbot.dashboard.login import router as login_router
from htbot.dashboard.reading import Partly, Reader, Source
from htbot.dashboard.reports import router as reports_router
from htbot.dashboard.session import PATH, Sessions
from htbot.domain.errors import NotFound, Retryable
from htbot.persistence.queries.ladders import LadderStep
from htbot.persistence.queries.lists import EvaluationView, Filters
from htbot.persistence.queries.paging import PageRequest
from htbot.persistence.queries.selection import Selection
from htbot.services.board.feed import Feed
from htbot.services.board.picture import Picture
from htbot.services.doorman import Doorman
from htbot.services.listings import Listings

STATIC_FOLDER = Path(__file__).parent / "static"
_RECENT = 200
_UNREAD = "PostgreSQL has not answered yet"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What the pages work with."""

    people: People
    doorman: Doorman
    sessions: Sessions
    reader: Reader
    feed: Feed


def build_dashboard(people: People, doorman: Doorman, first_token: str, feed: Feed, run: Path) -> Dashboard:
    """The dashboard over the services and the feed of its process. Nothing is read before somebody looks.

    `run` is the folder that remembers who has logged out.
    """
    reader = Reader(sources_of(people, feed), partial(version_of, feed))
    sessions = Sessions(doorman, first_token, ended_file=run / FILE_NAME)
    return Dashboard(people, doorman, sessions, reader, feed)


async def version_of(feed: Feed) -> object:
    """The state of the record as the feed saw it last; None while that is not known. Keeps the feed reading."""
    try:
        await feed.ready()
    except Retryable:
        return None
    picture = feed.picture
    return None if picture is None or picture.away else picture.record.version


def _seen(feed: Feed, part: Callable[[Picture], Any]) -> Any:
    """A part of the process's picture, which has the desk's newest quotes; of an old record it says so.

    Raises:
        Retryable: nothing was read yet.
    """
    picture = feed.picture
    if picture is None:
        raise Retryable(_UNREAD)
    return Partly(part(picture), "PostgreSQL does not answer") if picture.away else part(picture)


def by_account(read: Callable[[str | None], Any], accounts: Sequence[str]) -> dict[str | None, Any]:
    """What is read of each account; one of which nothing is there yet is left out. None: no account is known."""
    found: dict[str | None, Any] = {}
    for account in accounts or (None,):
        with suppress(NotFound):
            found[account] = read(account)
    return found


def of_each(read: Callable[[Selection], list[T]], traded: Selection, limit: int = _RECENT) -> dict[str | None, list[T]]:
    """The newest rows of each traded account, and under None, where there are several, those of all together."""
    found = by_account(lambda one: read(Selection(one, limit=limit)), traded.accounts)
    return found if len(traded.accounts) < 2 else found | {None: read(replace(traded, limit=limit))}


def looks_of_each(
    listings: Listings, traded: Selection, limit: int, fired: bool | None = None
) -> dict[str | None, list[EvaluationView]]:
    """The same of looks, the newest first; those in which a signal `fired` only, where that is asked for."""

    def read(account: str | None) -> list[EvaluationView]:
        return list(listings.evaluations(PageRequest(limit), Filters(account=account, fired=fired)).items)

    found: dict[str | None, list[EvaluationView]] = by_account(read, traded.accounts)
    if len(traded.accounts) > 1:
        found[None] = sorted(chain(*found.values()), key=lambda look: look.id, reverse=True)[:limit]
    return found


def sources_of(people: People, feed: Feed) -> Mapping[str, Source]:
    """What the pages watch, by topic, each as often as it is worth its price."""
    queries, listings = people.queries, people.listings

    def traded() -> Selection:
        if feed.picture is None:
            raise Retryable(_UNREAD)
        return feed.picture.record.traded

    def ladders() -> dict[str, list[LadderStep]]:
        found = of_each(queries.orders, traded()).values()
        return queries.ladders(sorted({order.ref for orders in found for order in orders}))

    return {
        "status": Source(lambda: _seen(feed, lambda picture: picture.status), at_hand=True),
        "open_trades": Source(lambda: _seen(feed, lambda picture: picture.open_trades), at_hand=True),
        "scheduler": Source(people.scheduler.setting, 2),
        "scheduler_day": Source(people.scheduler.status, 5, of_record=False),
        "broker": Source(people.broker.status, 2, of_record=False),
        "day": Source(lambda: _seen(feed, lambda picture: picture.days), at_hand=True),
        "risk": Source(lambda: by_account(queries.risk, traded().accounts), 5),
        "positions": Source(lambda: _seen(feed, lambda picture: picture.positions), at_hand=True),
        "picture": Source(people.pictures.bars, of_record=False),
        "stream": Source(people.pictures.stream, 2, of_record=False),
        "story": Source(people.pictures.stories, 3),
        "orders": Source(lambda: of_each(queries.orders, traded()), 2),
        "ladders": Source(ladders, 2),
        "fills": Source(lambda: of_each(queries.fills, traded()), 2),
        "trades": Source(lambda: of_each(queries.trades, traded()), 3),
        "fired": Source(lambda: looks_of_each(listings, traded(), 60, fired=True), 3),
        "cycles": Source(lambda: looks_of_each(listings, traded(), 240), 5),
        "rules": Source(
            lambda: by_account(lambda one: people.risk_rules.rules(account=one), traded().accounts), 3, of_record=False
        ),
        "alerts": Source(lambda: queries.alerts(replace(traded(), limit=_RECENT)), 2),
        "readiness": Source(queries.readiness, 2, of_record=False),
        "reconciliation": Source(lambda: by_account(queries.reconciliation, traded().accounts), 5),
        "instances": Source(people.strategy_reads.instances, 2),
        "strategy_stats": Source(people.strategy_reads.stats, 10),
        "backtests": Source(people.backtests.all, of_record=False),
        "programs": Source(people.programs.states, 5, of_record=False),
    }


def mount(app: FastAPI, dashboard: Dashboard) -> None:
    """Serve the dashboard below `/dashboard`; NiceGUI is imported here and nowhere else. Once per process."""
    from htbot.dashboard.screen import serve_pages

    app.state.sessions = dashboard.sessions
    app.state.backtests = dashboard.people.backtests
    app.include_router(login_router)
    app.include_router(reports_router)
    app.mount(f"{PATH}/static", StaticFiles(directory=STATIC_FOLDER), name="dashboard-static")
    serve_pages(app, dashboard)
    app.add_middleware(Gate, sessions=dashboard.sessions)
