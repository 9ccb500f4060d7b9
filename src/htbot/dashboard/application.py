"""The dashboard as a part of the API's application: its door, its login, its pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from htbot.bootstrap.people import People
from htbot.dashboard.gate import Gate
from htbot.dashboard.login import router as login_router
from htbot.dashboard.reading import Reader, Source
from htbot.dashboard.reports import router as reports_router
from htbot.dashboard.session import PATH, Sessions
from htbot.persistence.queries.lists import Filters
from htbot.persistence.queries.paging import PageRequest
from htbot.persistence.queries.selection import Selection
from htbot.services.doorman import Doorman

STATIC_FOLDER = Path(__file__).parent / "static"
_RECENT = Selection(limit=200)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What the pages work with."""

    people: People
    doorman: Doorman
    sessions: Sessions
    reader: Reader


def build_dashboard(people: People, doorman: Doorman, first_token: str) -> Dashboard:
    """The dashboard over the services of its process. Nothing is read before somebody looks."""
    return Dashboard(people, doorman, Sessions(doorman, first_token), Reader(sources_of(people)))


def sources_of(people: People) -> Mapping[str, Source]:
    """What the pages watch, by topic, each as often as it is worth its price."""
    queries, listings = people.queries, people.listings
    return {
        "status": Source(queries.status),
        "pnl": Source(lambda: queries.pnl(Selection()), 2),
        "risk": Source(queries.risk, 5),
        "positions": Source(queries.positions),
        "picture": Source(people.pictures.bars),
        "stream": Source(people.pictures.stream, 2),
        "story": Source(people.pictures.story, 3),
        "orders": Source(lambda: queries.orders(_RECENT), 2),
        "ladders": Source(lambda: queries.ladders([order.ref for order in queries.orders(_RECENT)]), 2),
        "fills": Source(lambda: queries.fills(_RECENT), 2),
        "trades": Source(lambda: queries.trades(_RECENT), 3),
        "fired": Source(lambda: listings.evaluations(PageRequest(60), Filters(fired=True)).items, 3),
        "cycles": Source(lambda: listings.evaluations(PageRequest(240), Filters()).items, 5),
        "rules": Source(people.risk_rules.rules, 3),
        "alerts": Source(lambda: queries.alerts(_RECENT), 2),
        "readiness": Source(queries.readiness, 2),
        "reconciliation": Source(queries.reconciliation, 5),
        "instances": Source(people.strategy_reads.instances, 2),
        "strategy_stats": Source(people.strategy_reads.stats, 10),
        "backtests": Source(people.backtests.all),
        "programs": Source(people.programs.states, 5),
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
