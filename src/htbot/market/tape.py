"""What a world is made of: paths of underlyings by session, whoever made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Protocol

from htbot.domain.sessions import Session
from htbot.market.path import PathBar
from htbot.market.ports import Print
from htbot.market.timeline import Span, Timeline

STALE_SESSIONS = 5


class Path(Protocol):
    """One symbol's prices of one session; times are epoch seconds."""

    opens_s: int
    closes_s: int

    @property
    def first_s(self) -> int:
        """When the path begins."""
        ...

    @property
    def last_s(self) -> int:
        """When it ends."""
        ...

    @property
    def open(self) -> float:
        """The first price."""
        ...

    @property
    def close(self) -> float:
        """The last price of the session."""
        ...

    def price(self, at_s: int) -> float | None:
        """Price at an instant; None before the first."""
        ...

    def changed_s(self, at_s: int) -> int:
        """When the price in force last moved."""
        ...

    def between(self, from_s: int, until_s: int) -> PathBar | None:
        """The stretch between two instants; None where there is no price."""
        ...

    def so_far(self, at_s: int) -> PathBar | None:
        """The session until an instant."""
        ...

    def buckets(self, length_s: int, limits: tuple[int, int]) -> list[tuple[int, int]]:
        """(start, end) of the bars of a length that start within the limits, both included."""
        ...

    def turns(self) -> Iterable[int]:
        """Instants at which the price may turn."""
        ...

    def prints(self, after: datetime, until: datetime) -> Sequence[Print]:
        """Trades in (after, until]."""
        ...


class Tape(Protocol):
    """Source of paths."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Everything but futures that has paths."""
        ...

    @property
    def roots(self) -> tuple[str, ...]:
        """Families of futures whose months (ES@202403) have paths."""
        ...

    def span(self, symbol: str) -> Span:
        """The hours of a symbol's paths."""
        ...

    def has_ticks(self, symbol: str) -> bool:
        """True where each trade is recorded."""
        ...

    @property
    def has_halts(self) -> bool:
        """Whether trading is ever halted."""
        ...

    def halt(self, symbol: str, session: Session) -> tuple[int, int] | None:
        """From when to when (epoch seconds) trading is halted; None where it is not."""
        ...

    def path(self, symbol: str, session: Session) -> Path | None:
        """A symbol's path of a session (stretched to its hours); None where it has no bars."""
        ...

    def turns(self, session: Session) -> Iterable[int]:
        """Instants (epoch seconds) of a session at which a path turns or a bar begins or ends."""
        ...

    def close(self, symbol: str, session: Session) -> float | None:
        """The last price of a session; None where it has no bars."""
        ...

    def settlement(self, symbol: str, session: Session) -> float | None:
        """The official value of a session's close; None where it has no bars."""
        ...


class Prices:
    """Prices and closes of the underlyings of a tape at any instant.

    Positions count the sessions of the calendar; what trades round the clock has the same days with longer hours.
    """

    def __init__(self, tape: Tape, timeline: Timeline) -> None:
        self.tape = tape
        self.timeline = timeline
        self._before: dict[tuple[str, int], float | None] = {}
        self._hours: dict[str, Timeline] = {}
        self._spots_s: int | None = None
        self._spots: dict[str, tuple[float, int] | None] = {}
        self._timelines = {span: timeline.stretched(span) for span in Span}

    def hours_of(self, symbol: str) -> Timeline:
        """The sessions in which a symbol has a path."""
        found = self._hours.get(symbol)
        if found is None:
            found = self._hours[symbol] = self._timelines[self.tape.span(symbol)]
        return found

    def path_at(self, symbol: str, at_s: int) -> Path | None:
        """The path of the last session that has opened at an instant."""
        return self.path(symbol, self.hours_of(symbol).running(at_s))

    def spot(self, symbol: str, at_s: int) -> tuple[float, int] | None:
        """Price in force and the instant (epoch seconds) of its last change; the last close stands between sessions.

        None before the first price, and when the last one is more than five sessions old. The answers of the last
        instant asked for are kept: every option of a chain asks for the same.
        """
        if at_s != self._spots_s:
            self._spots_s = at_s
            self._spots.clear()
        if symbol not in self._spots:
            self._spots[symbol] = self._spot(symbol, at_s)
        return self._spots[symbol]

    def _spot(self, symbol: str, at_s: int) -> tuple[float, int] | None:
        position = self.hours_of(symbol).running(at_s)
        path = self.path(symbol, position)
        price = path.price(at_s) if path else None
        if path is not None and price is not None:
            return price, path.changed_s(at_s)
        for earlier in range(position - 1, position - 1 - STALE_SESSIONS, -1):
            path = self.path(symbol, earlier)
            if path is not None:
                return path.close, path.last_s
        return None

    def closes(self, symbol: str, position: int, count: int) -> list[float]:
        """Closes of the `count` sessions before a position, those that have bars, oldest first."""
        sessions = self.hours_of(symbol).sessions[max(position - count, 0) : max(position, 0)]
        closes = (self.tape.close(symbol, session) for session in sessions)
        return [close for close in closes if close is not None]

    def previous_close(self, symbol: str, position: int) -> float | None:
        """Close of the nearest of the five sessions before a position that has bars."""
        key = (symbol, position)
        if key not in self._before:
            closes = self.closes(symbol, position, STALE_SESSIONS)
            self._before[key] = closes[-1] if closes else None
        return self._before[key]

    def reference(self, symbol: str, position: int) -> float | None:
        """The price around which strikes are listed on a session: the close before, else its own first price."""
        before = self.previous_close(symbol, position)
        if before is not None:
            return before
        path = self.path(symbol, position)
        return path.open if path else None

    def settlement(self, symbol: str, day: date, *, at_open: bool = False) -> float | None:
        """What contracts that expire on a day settle to: the official close, or the first price for AM settlement."""
        session = self.hours_of(symbol).on(day)
        path = self.tape.path(symbol, session) if session else None
        if session is None or path is None:
            return None
        return path.open if at_open else self.tape.settlement(symbol, session)

    def path(self, symbol: str, position: int) -> Path | None:
        """The path of the session at a position; None outside the calendar."""
        sessions = self.hours_of(symbol).sessions
        return self.tape.path(symbol, sessions[position]) if 0 <= position < len(sessions) else None
