"""Strategies that are watched over a recorded market: bars become known one by one, as a desk tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tests.support.record import ACCOUNT, WORLD
from tests.support.strategy_tapes import weekdays

from htbot.backtest.tape import Tape
from htbot.domain.bars import Bar
from htbot.domain.errors import Retryable
from htbot.domain.sessions import Session
from htbot.persistence.engine import Database
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import (
    BarRepository,
    EvaluationRepository,
    SessionRepository,
    SignalRepository,
    StrategyRepository,
)
from htbot.services.bar_evaluator import BarEvaluator
from htbot.services.bar_look import Look
from htbot.services.callers import Caller
from htbot.services.strategies import NewStrategy, Strategies, StrategyParts
from htbot.strategies.registry import STRATEGIES, Entry

CALLER = Caller("cli:test")


def bars_of(tape: Tape, symbol: str) -> list[Bar]:
    """The bars of a tape as the broker tells them."""
    minutes = tape.seconds // 60
    names = ("start_s", "open", "high", "low", "close", "volume")
    rows = zip(*(tape.bars[name].tolist() for name in names), strict=True)
    return [Bar(symbol, datetime.fromtimestamp(start_s, UTC), minutes, *numbers) for start_s, *numbers in rows]


@dataclass
class Watch:
    """A record with sessions, instances, bars that come, and workers that evaluate."""

    database: Database
    catalogue: Mapping[str, Entry] = field(default_factory=lambda: STRATEGIES)
    market_time: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    accounts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        with self.database.transaction() as session:
            SessionRepository(session).upsert(weekdays().all())
        live: Any = SimpleNamespace(clock=lambda: None, ping=lambda: True)
        self.strategies = Strategies(
            StrategyParts(self.database, live, lambda: self.catalogue, lambda: self.market_time, self.accounts)
        )
        self.worker = self.new_worker()

    def new_worker(self, **more: Any) -> BarEvaluator:
        """A process that remembers nothing."""
        return BarEvaluator(lambda: self.catalogue, **more)

    def add(self, name: str, kind: str = "ma_crossover", symbol: str = "SPY", **settings: object) -> StrategyInstance:
        """An enabled instance."""
        return self.strategies.add(NewStrategy(name, kind, symbol, settings, enabled=True), CALLER)

    def tell(self, bars: Iterable[Bar], known_at: datetime | None = None) -> None:
        """The desk stores bars, each at its end unless another time is given."""
        with self.database.transaction() as session:
            for bar in bars:
                BarRepository(session).upsert(WORLD, [bar], known_at or bar.end)

    def tell_history(self, bars: list[Bar]) -> None:
        """Bars from before, all at once."""
        with self.database.transaction() as session:
            BarRepository(session).upsert(WORLD, bars, bars[-1].end)

    def evaluate(self, as_of: datetime, worker: BarEvaluator | None = None, part: int = 1, parts: int = 1) -> str:
        """One evaluation, committed."""
        with self.database.transaction() as session:
            return (worker or self.worker).evaluate(session, Look(WORLD, ACCOUNT, as_of, part, parts))

    def evaluate_in_vain(self, as_of: datetime) -> None:
        """One evaluation that PostgreSQL dies under."""
        with self.database.transaction() as session:
            self.worker.evaluate(session, Look(WORLD, ACCOUNT, as_of))
            raise Retryable("PostgreSQL did not answer")

    def play(self, bars: Iterable[Bar], worker: BarEvaluator | None = None) -> None:
        """Tell bars one by one and evaluate at the end of each."""
        for bar in bars:
            self.tell([bar])
            self.evaluate(bar.end, worker)

    def signals(self, name: str) -> list[Any]:
        """What an instance fired, oldest first."""
        with self.database.transaction() as session:
            found = SignalRepository(session).recent(10_000)
        return [one.signal for one in reversed(found) if one.signal.strategy == name]

    def said(self, name: str) -> dict[datetime, str | None]:
        """Why nothing happened, by instant."""
        with self.database.transaction() as session:
            days = {session.day for session in weekdays().all()[:15]}
            rows = [one for day in sorted(days) for one in EvaluationRepository(session).of_day(day, ACCOUNT)]
        return {one.as_of: one.why_not for one in rows if one.strategy == name}

    def instance(self, name: str) -> StrategyInstance:
        """An instance as it is stored."""
        with self.database.transaction() as session:
            found = StrategyRepository(session).get(name)
        assert found is not None
        return found


def session_of(number: int) -> Session:
    """A session of the calendar that random tapes are made of."""
    return weekdays().all()[number]


def later(as_of: datetime, seconds: int) -> datetime:
    """Some seconds on."""
    return as_of + timedelta(seconds=seconds)
