"""The instants of a day, for one backtest or for several that share them.

What works in one of them makes instants for all: the desk that they stand for looks at everything at each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from htbot.backtest.terms import Terms
from htbot.domain.sessions import Session, floor_to
from htbot.market.instants import GRID_S, next_instant
from htbot.market.ports import Market

Span = tuple[datetime | None, datetime | None]
"""First and last instant of a world, None for one that goes on."""


class DayRun(Protocol):
    """A backtest that is played instant by instant, with an exchange and books of its own."""

    def begin(self, at: datetime) -> None:
        """Before the first instant that is played."""
        ...

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

    def move(self, now: datetime, session: Session) -> bool:
        """Go to an instant: what works looks at the market, bars close, fills are heard; True when there were any."""
        ...

    def tell(self, session: Session, *, filled: bool) -> None:
        """The broker tells the values of the account; `filled` when any account of the login has traded just now."""
        ...

    def look(self, session: Session, *, grid: bool) -> bool:
        """What is done when everything of an instant has been heard; True when something was sent."""
        ...

    def again(self, session: Session) -> bool:
        """Let what was sent look at the market at the same instant, and hear its fills; True when there were any."""
        ...

    def end_session(self, session: Session) -> None:
        """After its last instant."""
        ...


def play_days(terms: Terms, run: DayRun, progress: Callable[[float], None] = lambda _fraction: None) -> list[Session]:
    """Play the days of a backtest; `progress` is told after each of them which part is done. Returns the days.

    Raises:
        ConfigurationError: the market has no such days, or no prices of a symbol.
    """
    sessions = terms.sessions()
    run.begin(sessions[0].opens)
    for number, session in enumerate(sessions, 1):
        play_session(terms.market, session, [run])
        progress(number / len(sessions))
    return sessions


def play_session(market: Market, session: Session, runs: Sequence[DayRun], world: Span = (None, None)) -> None:
    """Play a session in step, from its open to its close, or what lies of it in a `world` that begins or ends."""
    begins, ends = world
    last = session.closes if ends is None else min(session.closes, ends)
    for run in runs:
        run.begin_session(session)
    now: datetime | None = session.opens if begins is None else max(session.opens, begins)
    while now is not None and now <= last:
        _tell(session, runs, [run.move(now, session) for run in runs])
        sent = _look(session, runs, grid=floor_to(now, GRID_S) == now)
        while sent:
            _tell(session, runs, [run.again(session) for run in runs])
            sent = _look(session, runs, grid=False)
        working = [good_till for run in runs for good_till in run.working]
        now = next_instant(market, now, working, [at for run in runs for at in run.arrivals])
    for run in runs:
        run.end_session(session)


def _tell(session: Session, runs: Sequence[DayRun], filled: Sequence[bool]) -> None:
    """A fill in one account has the broker tell the values of all."""
    for run in runs:
        run.tell(session, filled=any(filled))


def _look(session: Session, runs: Sequence[DayRun], *, grid: bool) -> bool:
    """Every run looks, also when one before it has sent something."""
    sent = [run.look(session, grid=grid) for run in runs]
    return True in sent
