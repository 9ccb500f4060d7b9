"""A market in the process: snapshots of a session of bars with a chain that risk accepts, and a day of decisions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.support.accounts import FIGURES
from tests.support.breakout_reading import GRID, Episode, Row, seen_until

from htbot.domain.bars import Bar
from htbot.domain.decisions import Approved
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.quotes import Quote
from htbot.domain.sessions import Session
from htbot.domain.signals import Evaluation, Signal
from htbot.engine.cycle import CycleInputs, CycleOutcome, decide
from htbot.engine.memory import Memory
from htbot.marketdata.snapshot import ListedOption, OpenBar, Snapshot
from htbot.risk.book import Book
from htbot.risk.limits import Limits
from htbot.strategies.base import Strategy

UNDERLYING_CON_ID = 1
ACCOUNT = "DU1000001"


def row(bar: Bar) -> Row:
    """A bar as the reading takes it."""
    return Row(bar.start, bar.open, bar.high, bar.low, bar.close)


def limits_of(symbol: str) -> Limits:
    """Limits with room: these tests are about signals."""
    facts = UNDERLYINGS[symbol]
    return Limits(
        profit_target_usd=facts.profit_target_usd,
        stop_loss_usd=facts.stop_loss_usd,
        max_risk_per_day_usd=Decimal(1_000_000),
        max_entries_per_day=50,
        daily_trade_limit=50,
    )


def listing(session: Session, symbol: str, around: float, strikes: int = 45) -> tuple[ListedOption, ...]:
    """A full strike grid of the session's expiry, puts and calls, by strike."""
    facts = UNDERLYINGS[symbol]
    middle = round(around / float(facts.strike_step))
    found = []
    for number in range(middle - strikes, middle + strikes + 1):
        strike = number * facts.strike_step
        for offset, right in ((1, Right.CALL), (2, Right.PUT)):
            con_id = 1000 + number * 10 + offset
            found.append(ListedOption(con_id, session.day, strike, right, facts.option_class))
    return tuple(found)


def quote(option: ListedOption, spot: float, as_of: datetime, step: float) -> Quote:
    """Intrinsic value and a time value that fades over ten strikes; two cents (SPX: a dime) wide."""
    side = 1 if option.right is Right.CALL else -1
    moneyness = side * (spot - float(option.strike))
    value = max(moneyness, 0.0) + 2.0 * step * math.exp(-abs(moneyness) / (5 * step))
    half = 0.01 if step == 1 else 0.05
    tick = 2 * half
    mid = round(value / tick) * tick
    return Quote(option.con_id, as_of, round(max(mid - half, half), 2), round(max(mid, half) + half, 2), 10, 10)


class ChainQuotes(Mapping[int, Quote]):
    """The chain's quotes at one price of the underlying, each made when it is asked for."""

    def __init__(self, options: Mapping[int, ListedOption], spot: float, as_of: datetime, step: float) -> None:
        self._options, self._market = options, (spot, as_of, step)

    def __getitem__(self, con_id: int) -> Quote:
        return quote(self._options[con_id], *self._market)

    def __iter__(self) -> Iterator[int]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)


@dataclass
class World:
    """One session of bars of one symbol, with what came before it."""

    session: Session
    today: Sequence[Bar]
    history: Sequence[Bar] = ()
    opening_seen: bool = True
    options: tuple[ListedOption, ...] = field(init=False)
    by_con_id: dict[int, ListedOption] = field(init=False)

    def __post_init__(self) -> None:
        self.symbol = self.today[0].symbol
        self.options = listing(self.session, self.symbol, self.today[0].open)
        self.by_con_id = {option.con_id: option for option in self.options}

    @property
    def bars(self) -> list[Bar]:
        """Everything in order."""
        return [*self.history, *self.today]

    def closed(self, at: datetime) -> list[Bar]:
        """What a table of bars would hold at an instant."""
        return [bar for bar in self.bars if bar.end <= at]

    def open_bar(self, at: datetime) -> OpenBar | None:
        """The bar being made, as far as the path has come."""
        for bar in self.today:
            if bar.start <= at < bar.end and (at > bar.start or self.opening_seen):
                passed = (at - bar.start).total_seconds()
                high, low, last = seen_until(row(bar), passed, bar.minutes * 60)
                return OpenBar(replace(bar, high=high, low=low, close=last), high, low)
        return None

    def last_closed(self, at: datetime) -> OpenBar | None:
        """The bar that closes at this very instant."""
        return next((OpenBar(bar, bar.high, bar.low) for bar in self.today if bar.end == at), None)

    def snapshot(self, at: datetime) -> Snapshot:
        """What the desk would publish, everything watched from the first bar on."""
        open_bar, last = self.open_bar(at), self.last_closed(at)
        spot = open_bar.bar.close if open_bar else last.bar.close if last else None
        step = float(UNDERLYINGS[self.symbol].strike_step)
        return Snapshot(
            as_of=at,
            world_id="test",
            account=ACCOUNT,
            symbol=self.symbol,
            underlying_con_id=UNDERLYING_CON_ID,
            spot=spot,
            last_closed=last,
            open_bar=open_bar,
            options=self.options,
            quotes={} if spot is None else ChainQuotes(self.by_con_id, spot, at, step),
            net_liquidation=Decimal(100_000),
            buying_power=Decimal(100_000),
            watching_since=self.session.opens,
            figures=FIGURES,
        )


@dataclass
class Day:
    """What a day of decisions left behind."""

    outcomes: list[CycleOutcome] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)

    @property
    def signals(self) -> list[Signal]:
        """What fired."""
        return [outcome.signal for outcome in self.outcomes if outcome.signal is not None]

    @property
    def evaluations(self) -> list[Evaluation]:
        """One per instant."""
        return [outcome.evaluation for outcome in self.outcomes]


Holding = Callable[[int], tuple[timedelta, bool]]
"""By number of the trade: how long it keeps the strategy busy, and whether it was filled at all."""


def half_an_hour(_number: int) -> tuple[timedelta, bool]:
    """Every trade is filled and closed after 30 minutes and 7 seconds."""
    return timedelta(minutes=30, seconds=7), True


def play(
    strategy: Strategy[Any],
    world: World,
    *,
    holding: Holding = half_an_hour,
    first: datetime | None = None,
    last: datetime | None = None,
    limits: Limits | None = None,
) -> Day:
    """Decide at every grid instant of the session, with the book that the decisions themselves make."""
    day = Day()
    book = Book(reconciled=True)
    memory: Memory | None = None
    busy_until: datetime | None = None
    filled = False
    at = first or world.session.opens
    end = last or world.session.closes
    while at <= end:
        if busy_until is not None and at > busy_until:
            book = replace(book, open_trades=0, last_exit_at=busy_until if filled else book.last_exit_at)
            busy_until = None
        bars = world.closed(at) if memory is None else [bar for bar in world.today if bar.end <= at]
        inputs = CycleInputs(
            strategy=strategy,
            snapshot=world.snapshot(at),
            session=world.session,
            bars=bars,
            book=book,
            limits=limits or limits_of(world.symbol),
            as_of=at,
            memory=memory,
        )
        outcome = decide(inputs)
        memory = outcome.memory
        day.outcomes.append(outcome)
        if outcome.signal is not None:
            level = (int(outcome.signal.direction), outcome.signal.level)
            book = replace(book, spent_levels=book.spent_levels | {level})
            if isinstance(outcome.decision, Approved):
                time_busy, filled = holding(book.entries_today)
                busy_until = at + time_busy
                book = replace(
                    book, open_trades=1, entries_today=book.entries_today + 1, next_sequence=book.next_sequence + 1
                )
                day.episodes.append(Episode(at, busy_until, busy_until if filled else None))
            else:
                day.episodes.append(Episode(at))
        at += GRID
    return day


def session_on(year: int, month: int, day: int, *, opens: tuple[int, int] = (14, 30), minutes: int = 390) -> Session:
    """A session by its UTC opening; fewer minutes than 390 make a half day."""
    start = datetime(year, month, day, *opens, tzinfo=UTC)
    return Session(start.date(), start, start + timedelta(minutes=minutes), early_close=minutes < 390)
