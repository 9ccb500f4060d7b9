"""Replay of recorded bars: regular hours only, one path per symbol and session."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import SecType
from htbot.domain.recorded import BarColumns, RecordedData
from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.paper.market.listing import Listing
from htbot.paper.market.path import PathBar, SessionPath
from htbot.paper.market.timeline import date_or_instant, epoch_s, instant, new_york_day
from htbot.paper.market.universe import LISTED
from htbot.paper.market.world import PathMarket, WorldFrame

START_TIME = (9, 45)
_LATE_PRINTS_S = 1800


@dataclass(frozen=True, slots=True)
class ReplayWindow:
    """What to play. A date (or New York's midnight) as `start` means that session's open, as `end` its close.

    `symbol` must have bars on the start's date; it also decides which session is the last full one without a `start`.
    """

    symbol: str | None = None
    start: datetime | date | None = None
    end: datetime | date | None = None
    listing: Listing = "modelled"


class RecordedTape:
    """Paths made from columns when they are first asked for."""

    def __init__(self, bars: dict[str, BarColumns]) -> None:
        self._bars = bars
        self._paths: dict[tuple[str, date], SessionPath | None] = {}
        self._first = {symbol: new_york_day(instant(columns.start_s[0])) for symbol, columns in bars.items()}
        self._last = {symbol: new_york_day(instant(columns.start_s[-1])) for symbol, columns in bars.items()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols with bars."""
        return tuple(sorted(self._bars))

    def turns(self, session: Session) -> Iterable[int]:
        """Turns of every symbol."""
        for symbol in self._bars:
            path = self.path(symbol, session)
            if path is not None:
                yield from path.vertex_times()

    @property
    def roots(self) -> tuple[str, ...]:
        """No file has futures by root."""
        return ()

    def close(self, symbol: str, session: Session) -> float | None:
        """Close of the session's last bar."""
        path = self.path(symbol, session)
        return path.close if path else None

    def settlement(self, symbol: str, session: Session) -> float | None:
        """The last price of the session; for an index the last print of the half hour after it, where recorded.

        An index goes on printing until its closing auctions are in: 3700.65 after 3701.38 on 2021-01-04.
        """
        path = self.path(symbol, session)
        row = LISTED.get(symbol)
        if path is None or row is None or row.sec_type is not SecType.INDEX:
            return path.close if path else None
        columns = self._bars[symbol]
        after = bisect_left(columns.start_s, path.closes_s)
        last = bisect_left(columns.start_s, path.closes_s + _LATE_PRINTS_S)
        return columns.close[last - 1] if last > after else path.close

    def path(self, symbol: str, session: Session) -> SessionPath | None:
        """The bars that start inside the session; earlier and later rows of the file are not regular hours."""
        key = (symbol, session.day)
        if key not in self._paths:
            self._paths[key] = self._make(self._bars[symbol], session)
        return self._paths[key]

    def covers(self, symbol: str, session: Session) -> bool:
        """True when a symbol has a bar in a session."""
        columns = self._bars[symbol].start_s
        if not self._first[symbol] <= session.day <= self._last[symbol]:
            return False
        first = bisect_left(columns, epoch_s(session.opens))
        return first < len(columns) and columns[first] < epoch_s(session.closes)

    @staticmethod
    def _make(columns: BarColumns, session: Session) -> SessionPath | None:
        opens_s, closes_s = epoch_s(session.opens), epoch_s(session.closes)
        first = bisect_left(columns.start_s, opens_s)
        last = bisect_left(columns.start_s, closes_s)
        if first == last:
            return None
        rows = slice(first, last)
        fields = (columns.open[rows], columns.high[rows], columns.low[rows], columns.close[rows], columns.volume[rows])
        candles = [PathBar(*row) for row in zip(*fields, strict=True)]
        return SessionPath(opens_s, closes_s, columns.minutes * 60, columns.start_s[rows].tolist(), candles)


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
        if not data.bars:
            raise ConfigurationError(f"{names}: no bars of an underlying; add a file with open, high, low, close")
        tape = RecordedTape(data.bars)
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
            return full[-1].at(*START_TIME)
        session = self._session(new_york_day(wanted))
        begin = session.opens if not isinstance(wanted, datetime) else max(wanted, session.opens)
        if begin >= session.closes:
            raise ConfigurationError(
                f"{self._names}: start {begin:%Y-%m-%d %H:%M} UTC is after the close of that session, "
                f"{session.closes:%H:%M} UTC"
            )
        return begin

    def end(self, played: list[Session], start: datetime) -> datetime:
        """The end asked for, or the last close of the data."""
        wanted = None if self._window.end is None else date_or_instant(self._window.end)
        last = [session for session in played if self._covers(session)][-1].closes
        if wanted is None:
            return last
        end = wanted if isinstance(wanted, datetime) else self._session(wanted).closes
        if end <= start:
            raise ConfigurationError(
                f"{self._names}: end {end:%Y-%m-%d %H:%M} is not after start {start:%Y-%m-%d %H:%M}"
            )
        return min(end, last)

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
