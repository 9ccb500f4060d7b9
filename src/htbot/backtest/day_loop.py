"""The instants of a day, for one backtest or for several that share them.

What works in one of them makes instants for all: the desk that they stand for looks at everything at each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from htbot.domain.sessions import Session, floor_to
from htbot.market.instants import GRID_S, next_instant
from htbot.market.ports import Market


class DayRun(Protocol):
    """A backtest that is played instant by instant, with an exchange and books of its own."""

    @property
    def working(self) -> Iterable[datetime | None]:
        """Of each order that works the time that it is good till."""
        ...

    @property
    def arrivals(self) -> Iterable[datetime]:
        """When orders that are under way arrive."""
        ...

    def begin_session(self, session: Session) -> None:
        """Before its first instant."""
        ...

    def move(self, now: datetime, session: Session) -> None:
        """Go to an instant: what works looks at the market, bars close, what happened is heard."""
        ...

    def look(self, session: Session, *, grid: bool) -> bool:
        """What is done when everything of an instant has been heard; True when something was sent."""
        ...

    def again(self, session: Session) -> None:
        """Let what was sent look at the market at the same instant, and hear what came of it."""
        ...

    def end_session(self, session: Session) -> None:
        """After its last instant."""
        ...


def play_session(market: Market, session: Session, runs: Sequence[DayRun]) -> None:
    """Play a session from its open to its close, in step."""
    for run in runs:
        run.begin_session(session)
    now: datetime | None = session.opens
    while now is not None and now <= session.closes:
        for run in runs:
            run.move(now, session)
        sent = _look(session, runs, grid=floor_to(now, GRID_S) == now)
        while sent:
            for run in runs:
                run.again(session)
            sent = _look(session, runs, grid=False)
        working = [good_till for run in runs for good_till in run.working]
        now = next_instant(market, now, working, [at for run in runs for at in run.arrivals])
    for run in runs:
        run.end_session(session)


def _look(session: Session, runs: Sequence[DayRun], *, grid: bool) -> bool:
    """Every run looks, also when one before it has sent something."""
    sent = [run.look(session, grid=grid) for run in runs]
    return True in sent
