"""Replay of recorded data: where it starts and ends, and the world made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from htbot.domain.errors import ConfigurationError
from htbot.domain.recorded import RecordedData
from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.market.listing import Listing
from htbot.market.recorded_tape import RecordedTape
from htbot.market.tape import Path
from htbot.market.timeline import date_or_instant, instant, new_york_day
from htbot.market.world import PathMarket, WorldFrame

START_TIME = (9, 45)


@dataclass(frozen=True, slots=True)
class ReplayWindow:
    """What to play. A date (or New York's midnight) as `start` means that session's open, as `end` its close.

    Where each trade is recorded, a day begins with its first trade and ends with its last, extended hours included.

    `symbol` must have bars on the start's date; it also decides which session is the last full one without a `start`.
    """

    symbol: str | None = None
    start: datetime | date | None = None
    end: datetime | date | None = None
    listing: Listing = "modelled"


class ReplayMarket(PathMarket):
    """A world made of recorded data.

    Args:
        data: what the files hold.
        calendar: sessions of the exchange, from before the data to some weeks after it (later expiries).
        window: what to play; the file's earlier sessions are history.

    Raises:
        ConfigurationError: a symbol or date that the files do not have, a holiday, data without a regular session.
    """

    def __init__(self, data: RecordedData, calendar: SessionTable, window: ReplayWindow | None = None) -> None:
        window = window or ReplayWindow()
        names = ", ".join(data.files)
        tape = RecordedTape(data, calendar)
        if not tape.symbols:
            raise ConfigurationError(f"{names}: no prices of an underlying; add a file with open, high, low, close")
        choice = _Choice(names, tape, calendar, window)
        played = choice.sessions()
        start = choice.start(played)
        frame = WorldFrame(
            world_id=f"replay-{data.crc:08x}-{start.astimezone(NEW_YORK):%Y%m%d}",
            start=start,
            end=choice.end(played, start),
            sessions=SessionTable(played),
            calendar=calendar,
            listing=window.listing,
        )
        super().__init__(frame, tape, data)


class _Choice:
    """Start, end and sessions of a replay, checked against what the files have."""

    def __init__(self, names: str, tape: RecordedTape, calendar: SessionTable, window: ReplayWindow) -> None:
        self._names = names
        self._calendar = calendar
        self._window = window
        self._tape = tape
        symbol = window.symbol
        if symbol is not None and symbol not in tape.symbols:
            raise ConfigurationError(f"{names}: no symbol {symbol}; there is {', '.join(tape.symbols)}")
        self._wanted = (symbol,) if symbol is not None else tape.symbols
        every = calendar.all()
        self._covered = {
            name: {session.day for session in every if tape.covers(name, session)} for name in tape.symbols
        }

    def sessions(self) -> list[Session]:
        """Sessions in which any symbol has a bar."""
        found = set().union(*self._covered.values())
        if not any(self._covered[symbol] for symbol in self._wanted):
            raise ConfigurationError(f"{self._names}: no bar of {'/'.join(self._wanted)} lies in a regular session")
        return [session for session in self._calendar.all() if session.day in found]

    def start(self, played: list[Session]) -> datetime:
        """The start asked for, or 09:45 of the last full session."""
        wanted = None if self._window.start is None else date_or_instant(self._window.start)
        if wanted is None:
            covered = [session for session in played if self._covers(session)]
            full = [session for session in covered if not session.early_close] or covered
            return self._first_trade(full[-1]) or full[-1].at(*START_TIME)
        session = self._session(new_york_day(wanted))
        opens = self._first_trade(session) or session.opens
        begin = opens if not isinstance(wanted, datetime) else max(wanted, opens)
        if begin >= session.closes:
            raise ConfigurationError(
                f"{self._names}: start {begin:%Y-%m-%d %H:%M} UTC is after the close of that session, "
                f"{session.closes:%H:%M} UTC"
            )
        return begin

    def end(self, played: list[Session], start: datetime) -> datetime:
        """The end asked for, or the last close of the data."""
        wanted = None if self._window.end is None else date_or_instant(self._window.end)
        final = [session for session in played if self._covers(session)][-1]
        last = max(final.closes, *(instant(path.last_s) for path in self._tapes(final)), final.opens)
        if wanted is None:
            return last
        end = wanted if isinstance(wanted, datetime) else self._session(wanted).closes
        if end <= start:
            raise ConfigurationError(
                f"{self._names}: end {end:%Y-%m-%d %H:%M} is not after start {start:%Y-%m-%d %H:%M}"
            )
        return min(end, last)

    def _first_trade(self, session: Session) -> datetime | None:
        """The second in which the recorded trades of a day begin, the extended hours included; None without trades."""
        return min((instant(path.first_s) for path in self._tapes(session)), default=None)

    def _tapes(self, session: Session) -> list[Path]:
        """The day's paths of symbols with recorded trades."""
        paths = (self._tape.path(symbol, session) for symbol in self._wanted if self._tape.has_ticks(symbol))
        return [path for path in paths if path is not None]

    def _covers(self, session: Session) -> bool:
        return any(session.day in self._covered[symbol] for symbol in self._wanted)

    def _session(self, day: date) -> Session:
        what = "/".join(self._wanted) if self._window.symbol else "bars"
        covered = [session.day for session in self._calendar.all() if self._covers(session)]
        has = f"{what} from {covered[0]} to {covered[-1]}"
        session = self._calendar.on(day)
        if session is None and covered[0] <= day <= covered[-1]:
            raise ConfigurationError(f"{self._names}: {day} is no session (weekend or holiday); the data have {has}")
        if session is None or not self._covers(session):
            raise ConfigurationError(f"{self._names}: no {what} on {day}; the data have {has}")
        return session
