"""Whether any strategy that may trade could enter now, by its own entry window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from sqlalchemy.orm import Session as Transaction

from htbot.domain.errors import HtbotError
from htbot.domain.sessions import NEW_YORK, Session
from htbot.domain.windows import TradingHours, TradingWindow
from htbot.marketdata.sessions import trading_window
from htbot.persistence.repositories import StrategyRepository
from htbot.services.strategies import fitting
from htbot.strategies.registry import Entry


@dataclass(frozen=True, slots=True)
class EntryHours:
    """New York clock times of a full day between which a strategy enters, the end not included."""

    strategy: str
    start: time
    end: time

    def on(self, session: Session) -> TradingWindow:
        """The same on the day of a session, shortened on half days."""
        return trading_window(session, TradingHours(self.start, self.end, self.end, self.end))


def hours_of_instances(transaction: Transaction, catalogue: Callable[[], Mapping[str, Entry]]) -> list[EntryHours]:
    """The different windows of instances that may trade, each under the first name that has it.

    One that cannot be made enters nothing and is left out: whoever looks for it tells why.
    """
    found, known = [], catalogue()
    for one in StrategyRepository(transaction).of_different_hours():
        try:
            config = fitting(one.type, one.symbol, one.settings, known).config
        except HtbotError:
            continue
        start, end = (config.as_fields().get(name) for name in ("entry_start", "entry_end"))
        if isinstance(start, time) and isinstance(end, time):
            found.append(EntryHours(one.name, start, end))
    return found


def outside_hours(hours: Sequence[EntryHours], session: Session, now: datetime) -> str | None:
    """Why nobody enters now, None while somebody's window is open."""
    windows = [(one.on(session), one.strategy) for one in hours]
    if not windows:
        return "no strategy may trade: none is configured, and no instance is enabled in mode trade"
    if any(window.admits_entry(now) for window, _ in windows):
        return None
    coming = [(window.entry_from, name) for window, name in windows if window.entry_from > now]
    if coming:
        at, name = min(coming)
        return f"no entry window is open: the next is that of {name}, from {_clock(at)} New York"
    at, name = max((window.entry_until, name) for window, name in windows)
    return f"no entry window is open any more: the last, that of {name}, ended at {_clock(at)} New York"


def _clock(instant: datetime) -> str:
    return f"{instant.astimezone(NEW_YORK):%H:%M}"
