"""One reading of the market: bars, indicators, day's range, signal, risk, intent - decided purely, stored as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session as Transaction

from htbot.domain.bars import Bar
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.sessions import NEW_YORK, Session
from htbot.engine.cycle import CycleInputs, CycleOutcome, confirm, decide
from htbot.engine.decided import Decided
from htbot.engine.memory import Memory
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.repositories import (
    BarRepository,
    EvaluationRepository,
    Series,
    SessionRepository,
)
from htbot.risk.book import Book
from htbot.risk.limits import Limits
from htbot.services.decision_record import store_decided
from htbot.services.margin import AskMargin
from htbot.strategies.base import Strategy


@dataclass(frozen=True, slots=True)
class DayRange:
    """Highest high and lowest low of a session's closed bars; None before the first."""

    high: float | None
    low: float | None


@dataclass(frozen=True, slots=True)
class Switches:
    """What a person has switched: `off` says why nothing is entered; `observed`: signals are recorded, nothing sent."""

    off: str | None = None
    observed: bool = False


TRADES = Switches()
NOT_ENABLED = Switches("the strategy is switched off: set HTBOT_ENABLED=true")


@dataclass(frozen=True, slots=True)
class Weighed:
    """A decision that is not stored yet; `answer` is the broker's about its entry, None without one."""

    inputs: CycleInputs
    outcome: CycleOutcome
    answer: WhatIf | None


class MarketReader:
    """Reads for one strategy; `ask_margin` shows the broker an entry, `switches` are a person's.

    The strategy's state is kept between readings, so that each folds only what is new (RULINGS 20). It is never more
    than a copy of what the bars say: another process, or this one after a restart, folds the same state from the bars.
    """

    def __init__(
        self, strategy: Strategy[Any], limits: Limits, ask_margin: AskMargin, switches: Switches = TRADES
    ) -> None:
        self._strategy = strategy
        self._limits = limits
        self._ask_margin = ask_margin
        self._switches = switches
        self._memories: dict[Series, Memory] = {}
        self._session_today: Session | None = None

    @property
    def name(self) -> str:
        """The name that its rows are recorded under."""
        return self._strategy.name

    @property
    def symbol(self) -> str:
        """The underlying that is read."""
        return self._strategy.needs.symbol

    def read(self, transaction: Transaction, snapshot: Snapshot, as_of: datetime) -> CycleOutcome:
        """Decide at `as_of` and store what came of it, in the caller's transaction."""
        return self.enter(transaction, self.weigh(transaction, snapshot, as_of))

    def weigh(self, transaction: Transaction, snapshot: Snapshot, as_of: datetime) -> Weighed:
        """Decide at `as_of`; nothing of it is stored yet.

        An entry that every other rule has let through is shown to the broker meanwhile: the strategy's book stays
        locked, so that one entry is asked about once.
        """
        session = self._session(transaction, as_of)
        series = Series(snapshot.world_id, self.symbol, self._strategy.needs.bar_minutes)
        memory = self._memories.get(series)
        if memory is not None and not memory.serves(as_of):
            memory = None
        bars = self._bars(transaction, series, session, memory, as_of)
        inputs = CycleInputs(
            strategy=self._strategy,
            snapshot=snapshot,
            session=session,
            bars=bars,
            book=self._switched(BookQuery(transaction).read(self._key(snapshot, as_of), as_of)),
            limits=self._limits,
            as_of=as_of,
            memory=memory,
            observed=self._switches.observed,
        )
        outcome = decide(inputs)
        if memory is not None or len(bars) >= self._strategy.needs.warm_up_bars:
            self._memories[series] = outcome.memory  # older bars may still come before that
        answer = None if outcome.intent is None else self._ask_margin(MarginQuestion.of(outcome.intent))
        return Weighed(inputs, outcome, answer)

    def enter(self, transaction: Transaction, weighed: Weighed) -> CycleOutcome:
        """Store what came of it: an entry on the account's last book, by every rule once more."""
        inputs, outcome = weighed.inputs, weighed.outcome
        if weighed.answer is not None:
            key, as_of = self._key(inputs.snapshot, inputs.as_of), inputs.as_of
            book = self._switched(BookQuery(transaction).read_last(key, as_of))
            outcome = confirm(replace(inputs, book=book), outcome, weighed.answer)
        self._store(transaction, outcome, inputs.snapshot)
        return outcome

    def _key(self, snapshot: Snapshot, as_of: datetime) -> BookKey:
        day = as_of.astimezone(NEW_YORK).date()
        return BookKey(self._strategy.name, snapshot.account, day, observed=self._switches.observed)

    def _switched(self, book: Book) -> Book:
        """The book, halted while a person has switched the strategy off."""
        off = self._switches.off
        return book if off is None else replace(book, halted_by=book.halted_by or off)

    def get_trend(self, transaction: Transaction, world_id: str, as_of: datetime) -> int:
        """+1, -1 or 0 from every closed bar known at `as_of`."""
        state = self._strategy.begin()
        series = Series(world_id, self.symbol, self._strategy.needs.bar_minutes)
        for bar in BarRepository(transaction).closed(series, as_of):
            state = self._strategy.fold(state, bar)
        return self._strategy.measure(state, ()).trend

    def find_high_low_day(self, transaction: Transaction, world_id: str, as_of: datetime) -> DayRange:
        """The day's range over closed regular-hours bars known at `as_of`."""
        session = self._session(transaction, as_of)
        if session is None:
            return DayRange(None, None)
        series = Series(world_id, self.symbol, self._strategy.needs.bar_minutes)
        bars = BarRepository(transaction).closed(series, as_of, since=session.opens)
        return DayRange(max((bar.high for bar in bars), default=None), min((bar.low for bar in bars), default=None))

    def _session(self, transaction: Transaction, as_of: datetime) -> Session | None:
        """The session of the day; asked for once a day, again and again while there is none."""
        day = as_of.astimezone(NEW_YORK).date()
        if self._session_today is None or self._session_today.day != day:
            self._session_today = SessionRepository(transaction).get(day)
        return self._session_today

    @staticmethod
    def _bars(
        transaction: Transaction, series: Series, session: Session | None, memory: Memory | None, as_of: datetime
    ) -> list[Bar]:
        """All of the history the first time; with a memory, this session and what closed after it."""
        since = None
        if memory is not None and memory.through is not None:
            since = memory.through if session is None else min(session.opens, memory.through)
        return BarRepository(transaction).closed(series, as_of, since=since)

    def _store(self, transaction: Transaction, outcome: CycleOutcome, snapshot: Snapshot) -> None:
        signal, decision = outcome.signal, outcome.decision
        if not EvaluationRepository(transaction).add(outcome.evaluation) or signal is None or decision is None:
            return
        store_decided(transaction, Decided(signal, decision, outcome.trade, outcome.intent), snapshot)
