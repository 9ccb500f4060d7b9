"""One reading of the market: bars, indicators, day's range, signal, risk, intent - decided purely, stored as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session as Transaction

from htbot.domain.bars import Bar
from htbot.domain.margin import MarginQuestion
from htbot.domain.sessions import NEW_YORK, Session
from htbot.engine.cycle import CycleInputs, CycleOutcome, confirm, decide
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
from htbot.services.decision_record import Decided, store_decided
from htbot.services.margin import AskMargin
from htbot.strategies.base import Strategy


@dataclass(frozen=True, slots=True)
class DayRange:
    """Highest high and lowest low of a session's closed bars; None before the first."""

    high: float | None
    low: float | None


class MarketReader:
    """Reads for one strategy; `enabled` is the person's switch (RULINGS 27), `ask_margin` shows the broker an entry.

    The strategy's state is kept between readings, so that each folds only what is new (RULINGS 20). It is never more
    than a copy of what the bars say: another process, or this one after a restart, folds the same state from the bars.
    """

    def __init__(self, strategy: Strategy[Any], limits: Limits, ask_margin: AskMargin, *, enabled: bool) -> None:
        self._strategy = strategy
        self._limits = limits
        self._ask_margin = ask_margin
        self._enabled = enabled
        self._memories: dict[Series, Memory] = {}
        self._session_today: Session | None = None

    @property
    def symbol(self) -> str:
        """The underlying that is read."""
        return self._strategy.needs.symbol

    def read(self, transaction: Transaction, snapshot: Snapshot, as_of: datetime) -> CycleOutcome:
        """Decide at `as_of` and store what came of it, in the caller's transaction.

        An entry that every other rule has let through is shown to the broker meanwhile: the strategy's book stays
        locked, so that one entry is asked about once. It is committed on the account's book of then.
        """
        session = self._session(transaction, as_of)
        series = Series(snapshot.world_id, self.symbol, self._strategy.needs.bar_minutes)
        memory = self._memories.get(series)
        if memory is not None and not memory.serves(as_of):
            memory = None
        bars = self._bars(transaction, series, session, memory, as_of)
        books = BookQuery(transaction)
        key = BookKey(self._strategy.name, snapshot.account, as_of.astimezone(NEW_YORK).date())
        inputs = CycleInputs(
            strategy=self._strategy,
            snapshot=snapshot,
            session=session,
            bars=bars,
            book=self._switched(books.read(key, as_of)),
            limits=self._limits,
            as_of=as_of,
            memory=memory,
        )
        outcome = decide(inputs)
        if outcome.intent is not None:
            answer = self._ask_margin(MarginQuestion.of(outcome.intent))
            outcome = confirm(replace(inputs, book=self._switched(books.read_last(key, as_of))), outcome, answer)
        self._memories[series] = outcome.memory
        self._store(transaction, outcome, snapshot)
        return outcome

    def _switched(self, book: Book) -> Book:
        """The book, halted while the person's switch is off."""
        if self._enabled:
            return book
        return replace(book, halted_by=book.halted_by or "the strategy is switched off: set HTBOT_ENABLED=true")

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
