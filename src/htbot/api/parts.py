"""What the endpoints work with, put together in `htbot.bootstrap.api`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from htbot.api.auth import Viewer
from htbot.dashboard.application import Dashboard
from htbot.persistence.queries.selection import Selection
from htbot.services.commands import Caller, Commands
from htbot.services.doorman import Doorman, Principal
from htbot.services.manual_signal import ManualSignals
from htbot.services.queries import Queries
from htbot.services.scheduler import Scheduler
from htbot.services.strategies import Strategies
from htbot.services.strategy_reads import StrategyReads


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Services behind the API, and the hosts by whose name it may be called besides loopback."""

    queries: Queries
    commands: Commands
    manual_signals: ManualSignals
    strategies: Strategies
    strategy_reads: StrategyReads
    scheduler: Scheduler
    metrics: Callable[[], bytes]
    doorman: Doorman
    hosts: tuple[str, ...]
    url: str
    dashboard: Dashboard | None = None


async def _parts(request: Request) -> ApiParts:
    parts: ApiParts = request.app.state.parts
    return parts


async def _selection(
    account: Annotated[
        str | None,
        Query(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="account, or `all`; default: the traded one"),
    ] = None,
    day: Annotated[date | None, Query(description="session day, New York; default: any")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="the newest so many")] = 200,
) -> Selection:
    return Selection(account, day, limit)


def caller(principal: Principal, key: str | None) -> Caller:
    """The caller of a command."""
    return Caller(principal.actor, key)


Parts = Annotated[ApiParts, Depends(_parts)]
Chosen = Annotated[Selection, Depends(_selection)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="the same key gives the same answer and one effect",
    ),
]
__all__ = ["ApiParts", "Chosen", "Key", "Parts", "Viewer", "caller"]
