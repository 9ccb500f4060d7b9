"""The synthetic market: seeded, endless, with history, and the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import isqrt
from random import Random

from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import SecType
from htbot.domain.sessions import Session, SessionTable
from htbot.market.futures import ROOTS, future_named
from htbot.market.hours import ROUND_THE_CLOCK
from htbot.market.instruments import INSTRUMENTS, Instrument, UnitBar, family_of
from htbot.market.listing import Listing
from htbot.market.path import SessionPath
from htbot.market.scenario import (
    FULL_MINUTES,
    DayPlan,
    Scenario,
    bridge,
    generator,
    halted_minutes,
    minute_moves,
    noise,
    plan_day,
    scenario_plan,
)
from htbot.market.timeline import Span, date_or_instant, epoch_s, new_york_day
from htbot.market.universe import LISTED, kind_of
from htbot.market.world import PathMarket, WorldFrame

HISTORY_SESSIONS = 30
OLDER_SESSIONS = 1260
COARSE_MINUTES = 30
LEAST_HISTORY = 12
START_TIME = (9, 45)
_MILLION = 1_000_000
_NEVER_HALTED = frozenset({SecType.FOREX, SecType.CRYPTO})
_KEPT_BARS = 150_000


class SyntheticTape:
    """Bars of every session from five years before the start session on, made when they are first asked for.

    Positions count from 30 sessions before the start, where every first price stands: from there the world is made
    forwards in minutes, and five years of older sessions (below 0) backwards in half hours.

    Args:
        seed: of the world.
        sessions: the sessions of the world, history first.
        older: how many of them lie before position 0.
        first: position of the start session.
        scenario: what the days from the start on are like.
    """

    def __init__(
        self, seed: int, sessions: Sequence[Session], older: int, first: int, scenario: Scenario = "walk"
    ) -> None:
        self._seed = seed
        self._scenario = scenario
        self._sessions = {number - older: session for number, session in enumerate(sessions)}
        self._first = first
        self._position = {session.day: position for position, session in self._sessions.items()}
        self._plans: list[DayPlan] = []
        self._older_opens: dict[str, list[int]] = {symbol: [] for symbol in INSTRUMENTS}
        self._index_ppm = 0
        self._opens: dict[str, list[int]] = {symbol: [] for symbol in INSTRUMENTS}
        self._paths: dict[tuple[str, date], SessionPath] = {}
        self._kept_bars = 0

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol of the world."""
        return tuple(LISTED)

    @property
    def roots(self) -> tuple[str, ...]:
        """Every family of futures."""
        return tuple(ROOTS)

    def turns(self, session: Session) -> Iterable[int]:
        """Every symbol has the same minutes, so the index speaks for all."""
        path = self.path("SPX", session)
        return path.turns() if path else ()

    def span(self, symbol: str) -> Span:
        """Futures, forex and crypto trade round the clock."""
        return Span.ROUND_THE_CLOCK if kind_of(symbol) in ROUND_THE_CLOCK else Span.REGULAR

    def has_ticks(self, symbol: str) -> bool:
        """No trade is recorded."""
        del symbol
        return False

    @property
    def has_halts(self) -> bool:
        """In one scenario only."""
        return self._scenario == "halt"

    def halt(self, symbol: str, session: Session) -> tuple[int, int] | None:
        """The halt of a session; forex and crypto go on."""
        position = self._position.get(session.day)
        if not self.has_halts or position is None or position < self._first or kind_of(symbol) in _NEVER_HALTED:
            return None
        regular = self._sessions[position]
        opens_s = epoch_s(regular.opens)
        minutes = (epoch_s(regular.closes) - opens_s) // 60
        first, last = halted_minutes(self._seed, regular.day.toordinal())
        return opens_s + first * minutes // FULL_MINUTES * 60, opens_s + last * minutes // FULL_MINUTES * 60

    def close(self, symbol: str, session: Session) -> float | None:
        """The last price of the session, without making its bars."""
        position = self._position.get(session.day)
        if position is None:
            return None
        name = family_of(symbol)
        row = INSTRUMENTS[name]
        return (self._close_units(name, position) + self._basis(symbol, session)) // row.step * row.step / row.scale

    def settlement(self, symbol: str, session: Session) -> float | None:
        """The last price of the session."""
        return self.close(symbol, session)

    def path(self, symbol: str, session: Session) -> SessionPath | None:
        """A symbol's minute bars of a session; None before the world's history."""
        position = self._position.get(session.day)
        if position is None:
            return None
        key = (symbol, session.day)
        if key not in self._paths:
            made = self._make(symbol, session, position)
            self._kept_bars += len(made)
            while self._kept_bars > _KEPT_BARS:
                self._kept_bars -= len(self._paths.pop(next(iter(self._paths))))
            self._paths[key] = made
        return self._paths[key]

    def _basis(self, symbol: str, session: Session) -> int:
        """What a month of a future lies above its family's path, the same all session."""
        if kind_of(symbol) is not SecType.FUTURE:
            return 0
        future = future_named(symbol)
        row = INSTRUMENTS[family_of(symbol)]
        ahead = max((future.expiry - session.day).days, 0)
        return row.first_units * future.root.carry_ppm * ahead // (365 * _MILLION) // row.step * row.step

    def _plan(self, position: int) -> DayPlan:
        """Plans follow each other: a later day gives back 2 % of the way that the index has gone."""
        if position < 0:
            plan = plan_day(self._seed, self._day(position), position - self._first, 0)
            return replace(plan, noise_ppm=plan.noise_ppm * isqrt(COARSE_MINUTES))
        while len(self._plans) <= position:
            number = len(self._plans)
            pull = -self._index_ppm // 50 if number > self._first else 0
            ordinal = self._sessions[number].day.toordinal()
            if number < self._first or self._scenario == "walk":
                plan = plan_day(self._seed, ordinal, number - self._first, pull)
            else:
                plan = scenario_plan(self._scenario, self._seed, ordinal, pull)
            self._index_ppm += plan.gap_ppm + plan.change_ppm
            self._plans.append(plan)
        return self._plans[position]

    def _open_units(self, symbol: str, position: int) -> int:
        """Opening price: the close before, moved by the gap."""
        if position < 0:
            return self._older_open(symbol, position)
        row, opens = INSTRUMENTS[symbol], self._opens[symbol]
        while len(opens) <= position:
            number = len(opens)
            before = self._close_units(symbol, number - 1) if number else row.first_units
            opens.append(_moved(before, self._gap(row, number)))
        return opens[position]

    def _older_open(self, symbol: str, position: int) -> int:
        """The open from which the moves of a day, and the gap after it, lead to the open that follows.

        Going back, each night takes off 1 % of the distance from the first price, or the years would lead anywhere.
        """
        row, opens = INSTRUMENTS[symbol], self._older_opens[symbol]
        while len(opens) < -position:
            number = -len(opens) - 1
            close = row.first_units
            if opens:
                pull_ppm = (opens[-1] - row.first_units) * (_MILLION // 100) // row.first_units
                close = _unmoved(opens[-1], self._gap(row, number + 1) + pull_ppm)
            opens.append(_unmoved(close, self._change(row, number)))
        return opens[-position - 1]

    def _gap(self, row: Instrument, position: int) -> int:
        own = noise(generator(self._seed, row.stream * 4, self._day(position)), row.own_ppm * 6)
        return self._plan(position).gap_ppm * row.beta_permille // 1_000 + own

    def _close_units(self, symbol: str, position: int) -> int:
        row = INSTRUMENTS[symbol]
        return _moved(self._open_units(symbol, position), self._change(row, position))

    def _change(self, row: Instrument, position: int) -> int:
        return self._plan(position).change_ppm * row.beta_permille // 1_000 + self._own_change(row, position)

    def _own_change(self, row: Instrument, position: int) -> int:
        return noise(generator(self._seed, row.stream * 4 + 1, self._day(position)), row.own_ppm * 12)

    def _day(self, position: int) -> int:
        return self._sessions[position].day.toordinal()

    def _index_moves(self, position: int, minutes: int) -> list[int]:
        return minute_moves(self._plan(position), self._seed, self._day(position), minutes)

    def _make(self, symbol: str, session: Session, position: int) -> SessionPath:
        """A bar a minute (older days: half an hour) of the regular session, and around it round the clock."""
        name = family_of(symbol)
        row = INSTRUMENTS[name]
        step_s = 60 if position >= 0 else 60 * COARSE_MINUTES
        regular = self._sessions[position]
        opens_s, closes_s = epoch_s(session.opens), epoch_s(session.closes)
        first_s, last_s = epoch_s(regular.opens), epoch_s(regular.closes)
        bars = [
            *self._evening(name, position, (first_s - opens_s) // step_s),
            *self._day_bars(name, position, (last_s - first_s) // step_s),
            *self._late(name, position, (closes_s - last_s) // step_s),
        ]
        basis = self._basis(symbol, session)
        candles = [row.priced(bar, basis) for bar in bars]
        return SessionPath(opens_s, closes_s, step_s, range(opens_s, closes_s, step_s), candles, row.units)

    def _day_bars(self, symbol: str, position: int, minutes: int) -> Iterator[UnitBar]:
        row = self._paced(symbol, position)
        open_units = self._open_units(symbol, position)
        index = self._index_moves(position, minutes)
        own_change = self._own_change(INSTRUMENTS[symbol], position)
        random = generator(self._seed, row.stream * 4 + 2, self._day(position))
        own = bridge(random, minutes, row.own_ppm)
        levels = [
            _moved(open_units, index[m] * row.beta_permille // 1_000 + own[m] + own_change * m // minutes)
            for m in range(minutes + 1)
        ]
        wick = max(self._plan(position).noise_ppm, row.own_ppm) // 2
        first, last = self._halted_minutes(symbol, position)
        for m in range(minutes):
            bar = _bar(random, levels[m], levels[m + 1], wick, _volume(random, row.volume, m, minutes))
            yield (levels[first],) * 4 + (0,) if first <= m < last else bar

    @staticmethod
    def _paced(symbol: str, position: int) -> Instrument:
        """The instrument with the noise and the volume of one bar."""
        row = INSTRUMENTS[symbol]
        return row if position >= 0 else row.coarser(COARSE_MINUTES)

    def _halted_minutes(self, symbol: str, position: int) -> tuple[int, int]:
        """Minutes of the session without trading, none as (0, 0)."""
        session = self._sessions[position]
        halt = self.halt(symbol, session)
        opens_s = epoch_s(session.opens)
        return ((halt[0] - opens_s) // 60, (halt[1] - opens_s) // 60) if halt else (0, 0)

    def _evening(self, symbol: str, position: int, minutes: int) -> Iterator[UnitBar]:
        """From the close before to the open of the regular session."""
        row = self._paced(symbol, position)
        last = self._open_units(symbol, position)
        first = self._close_units(symbol, position - 1) if position - 1 in self._sessions else last
        yield from self._quiet(row, (position, 0), (first, last), minutes)

    def _late(self, symbol: str, position: int, minutes: int) -> Iterator[UnitBar]:
        """After the close of the regular session, back to it."""
        close = self._close_units(symbol, position)
        yield from self._quiet(self._paced(symbol, position), (position, 1), (close, close), minutes)

    def _quiet(self, row: Instrument, part: tuple[int, int], ends: tuple[int, int], minutes: int) -> Iterator[UnitBar]:
        """Minutes with a third of the day's noise and a fifth of its volume."""
        if minutes <= 0:
            return
        position, number = part
        random = generator(self._seed, row.stream * 4 + 3, self._day(position) * 2 + number)
        deviation = max(row.own_ppm, self._plan(position).noise_ppm * abs(row.beta_permille) // 1_000) // 3
        swing = bridge(random, minutes, deviation)
        first, last = ends
        levels = [_moved(first + (last - first) * m // minutes, swing[m]) for m in range(minutes + 1)]
        for m in range(minutes):
            yield _bar(random, levels[m], levels[m + 1], deviation // 2, _volume(random, row.volume, m, minutes) // 5)


def _unmoved(units: int, ppm: int) -> int:
    """What becomes `units` when it is moved."""
    return (units * _MILLION + (_MILLION + ppm) // 2) // (_MILLION + ppm)


def _moved(cents: int, ppm: int) -> int:
    return cents + (cents * ppm + _MILLION // 2) // _MILLION


def _bar(random: Random, first: int, last: int, wick_ppm: int, volume: int) -> UnitBar:
    high = max(first, last) + abs(noise(random, wick_ppm)) * first // _MILLION
    low = min(first, last) - abs(noise(random, wick_ppm)) * first // _MILLION
    return first, high, low, last, volume


def _volume(random: Random, usual: int, minute: int, minutes: int) -> int:
    """More at the open and the close: 2.5 times the usual at the ends of the day."""
    middle = max(minutes // 2, 1)
    lift = 100 + 150 * abs(minute - middle) // middle
    return usual * lift * (70 + random.randrange(61)) // 10_000


@dataclass(frozen=True, slots=True)
class Manner:
    """What the days from the start on are like, and which options are listed."""

    scenario: Scenario = "walk"
    listing: Listing = "modelled"

    @property
    def suffix(self) -> str:
        """What the world's name tells of the scenario."""
        return "" if self.scenario == "walk" else f"-{self.scenario}"


_USUAL = Manner()


class SyntheticMarket(PathMarket):
    """A seeded world that starts at 09:45 of the last full session before `today` (RULINGS 27), unless told otherwise.

    Args:
        calendar: sessions of the exchange, from at least 12 (better 282) before the start on, some years ahead.
        today: the date on which the world is made; only a default start depends on it.
        seed: 0 or more; the same seed and start date give the same world.
        start: when to begin; a date (or New York's midnight) is that session's 09:45. A stored world is opened again
            by its start.
        end: when to stop; a date is that session's close, None goes on to the end of the calendar.
        manner: scenario and listing of options.

    Raises:
        ConfigurationError: a start or end that is no session, or a calendar without the history before it.
    """

    def __init__(
        self,
        calendar: SessionTable,
        today: date,
        seed: int = 7,
        *,
        start: datetime | date | None = None,
        end: datetime | date | None = None,
        manner: Manner = _USUAL,
    ) -> None:
        begin = _start(calendar, today, start)
        every = calendar.all()
        day = new_york_day(begin)
        position = next(number for number, session in enumerate(every) if session.day == day)
        if position < LEAST_HISTORY:
            raise ConfigurationError(
                f"start {day}: the calendar has {position} sessions before it, {LEAST_HISTORY} are needed"
            )
        earliest = max(position - HISTORY_SESSIONS, 0)
        older = min(earliest, OLDER_SESSIONS)
        sessions = every[earliest - older :]
        frame = WorldFrame(
            world_id=f"synthetic-{seed}-{day:%Y%m%d}{manner.suffix}",
            start=begin,
            end=_end(calendar, end),
            sessions=SessionTable(sessions),
            calendar=calendar,
            listing=manner.listing,
        )
        super().__init__(frame, SyntheticTape(seed, sessions, older, position - earliest, manner.scenario))


def _start(calendar: SessionTable, today: date, start: datetime | date | None) -> datetime:
    if start is None:
        full = [session for session in calendar.all() if session.day < today and not session.early_close]
        if not full:
            raise ConfigurationError(f"the calendar has no full session before {today}")
        return full[-1].at(*START_TIME)
    start = date_or_instant(start)
    session = _session(calendar, "start", new_york_day(start))
    if not isinstance(start, datetime):
        return session.at(*START_TIME)
    if start >= session.closes:
        raise ConfigurationError(f"start {start:%Y-%m-%d %H:%M} UTC is after the close, {session.closes:%H:%M} UTC")
    return max(start, session.opens)


def _end(calendar: SessionTable, end: datetime | date | None) -> datetime | None:
    if end is None:
        return None
    end = date_or_instant(end)
    return end if isinstance(end, datetime) else _session(calendar, "end", end).closes


def _session(calendar: SessionTable, what: str, day: date) -> Session:
    session = calendar.on(day)
    if session is None:
        raise ConfigurationError(f"{what} {day} is no session (weekend or holiday); take a trading day")
    return session
