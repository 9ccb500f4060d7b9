"""The dashboard as a part of the API's application: its door, its login, its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from htbot.bootstrap.people import People
from htbot.dashboard.gate import Gate
from htbot.dashboard.login import router as login_router
from htbot.dashboard.reading import Reader
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


def sources_of(people: People) -> Mapping[str, Callable[[], Any]]:
    """What the pages watch, by topic."""
    queries = people.queries
    return {
        "status": queries.status,
        "pnl": lambda: queries.pnl(Selection()),
        "risk": queries.risk,
        "account": queries.account,
        "positions": queries.positions,
        "picture": people.pictures.read,
        "orders": lambda: queries.orders(_RECENT),
        "ladders": lambda: queries.ladders([order.ref for order in queries.orders(_RECENT)]),
        "fills": lambda: queries.fills(_RECENT),
        "trades": lambda: queries.trades(_RECENT),
        "fired": lambda: people.listings.evaluations(PageRequest(60), Filters(fired=True)).items,
        "cycles": lambda: people.listings.evaluations(PageRequest(240), Filters()).items,
        "rules": people.risk_rules.rules,
        "alerts": lambda: queries.alerts(_RECENT),
        "readiness": queries.readiness,
        "reconciliation": queries.reconciliation,
        "instances": people.strategy_reads.instances,
        "strategy_stats": people.strategy_reads.stats,
        "backtests": people.backtests.all,
        "programs": people.programs.states,
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
