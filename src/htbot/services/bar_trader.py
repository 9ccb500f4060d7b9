"""Strategies on plain instruments that trade: their entries, put before the gate.

A wish is acted on once, in the transaction that first writes its signal, and only while its bar is fresh: what is found
out later, by another process or after a restart, is the record of a decision and makes no new one.

Exits come first, each in a transaction of its own: when the broker is asked about an entry, or a book is waited for,
they are committed, and whatever becomes of the look they stay so (decision 0043).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session as Transaction

from htbot.domain.margin import MarginQuestion
from htbot.domain.signals import Signal
from htbot.engine.recorded import Fate, fate_of
from htbot.engine.share_entries import EntryDesk, Wanted, Weighed, settle_shares, weigh_shares
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import FillRepository, SessionRepository, TradeRepository
from htbot.risk.book import Book
from htbot.risk.limits import Limits
from htbot.services.bar_acts import alone, apart, hold_account
from htbot.services.bar_exits import leave
from htbot.services.decision_record import store_decided
from htbot.services.margin import AskMargin
from htbot.services.trade_record import entry_reference_of
from htbot.strategies.bar_strategy import BarConfig


@dataclass(frozen=True, slots=True)
class TraderParts:
    """What entries are judged with.

    `limits_of` gives the gate's numbers for a strategy's configuration, `ask_margin` shows the broker an entry,
    `enabled` is the person's switch (RULINGS 27); `transaction` begins one of its own, as `Database.transaction` does.
    """

    limits_of: Callable[[BarConfig], Limits]
    ask_margin: AskMargin
    enabled: bool
    transaction: Callable[[], AbstractContextManager[Transaction]]


Wishes = Sequence[tuple[str, Wanted, Snapshot]]
"""What strategies want, each with the name of its strategy and what its account sees."""
Done = list[tuple[str, bool | None]]
"""What became of wishes: True for a new one, False when its bar was acted on before, None to be wished again."""


class BarTrader:
    """Acts on wishes: exits at once, then entries in the caller's transaction."""

    def __init__(self, parts: TraderParts) -> None:
        self._parts = parts

    def act(self, transaction: Transaction, wishes: Wishes, why_not: dict[str, str]) -> Done:
        """Act on each wish once, in their order, exits before entries; what fails is told in `why_not`.

        Raises:
            Retryable, OperationalError, InterfaceError: the record itself is away, for all of them.
        """
        done = [
            (name, apart(self._parts.transaction, why_not, name, _exit(wish)))
            for name, wish, _seen in wishes
            if wish.fired.action == "leave"
        ]
        return done + self._enter(transaction, [one for one in wishes if one[1].fired.action == "enter"], why_not)

    def _enter(self, transaction: Transaction, wishes: Wishes, why_not: dict[str, str]) -> Done:
        """Weigh all of them first, which takes as long as the broker takes to answer; only then hold their accounts.

        Those are held that the broker was asked about. Where others hold one, or a strategy's book, they are wished
        again.
        """
        entries = [
            (name, wish, seen, alone(transaction, why_not, name, partial(self.weigh, transaction, wish, seen)))
            for name, wish, seen in wishes
        ]
        shown = {wish.signal.account for _, wish, _, one in entries if one is not None and one.answer is not None}
        held = {account for account in sorted(shown) if hold_account(transaction, account)}
        done: Done = []
        for name, wish, seen, weighed in entries:
            acted = None
            if weighed is not None and (weighed.answer is None or wish.signal.account in held):
                enter = partial(self.enter, transaction, wish, weighed, seen)
                acted = alone(transaction, why_not, name, enter)
            done.append((name, acted))
        return done

    def weigh(self, transaction: Transaction, wanted: Wanted, snapshot: Snapshot) -> Weighed:
        """Put an entry before the gate, and show it to the broker when it passes."""
        signal = wanted.signal
        desk = EntryDesk(
            limits=self._parts.limits_of(wanted.config),
            read_book=lambda: self._switched(BookQuery(transaction).read(_key(signal), signal.as_of)),
            ask_margin=lambda intent: self._parts.ask_margin(MarginQuestion.of(intent)),
        )
        return weigh_shares(wanted, snapshot, SessionRepository(transaction).get(signal.session), desk)

    def enter(self, transaction: Transaction, wanted: Wanted, weighed: Weighed, snapshot: Snapshot) -> bool:
        """Store what was decided; False when the wish's bar was decided on before."""
        key, as_of = _key(wanted.signal), wanted.signal.as_of
        limits = self._parts.limits_of(wanted.config)
        decided = settle_shares(weighed, limits, lambda: self._switched(BookQuery(transaction).read_last(key, as_of)))
        return store_decided(transaction, decided, snapshot)

    def _switched(self, book: Book) -> Book:
        """The book, halted while the person's switch is off."""
        off = "trading by strategies is switched off: set HTBOT_ENABLED=true"
        return book if self._parts.enabled else replace(book, halted_by=book.halted_by or off)


def _exit(wish: Wanted) -> Callable[[Transaction], bool | None]:
    return partial(leave, wish.signal, wish.ended_at, wish.fired.exit_reason, wish.fired.sale)


def _key(signal: Signal) -> BookKey:
    return BookKey(signal.strategy, signal.account, signal.session)


def fates_of_instance(transaction: Transaction, one: StrategyInstance, account: str) -> list[Fate]:
    """What became of the entries that belong to the present fold of an instance."""
    return fates_of(transaction, one.name, account, one.created_at if one.observed is None else one.observed.first_bar)


def fates_of(transaction: Transaction, strategy: str, account: str, since: datetime) -> list[Fate]:
    """What became of each entry of a strategy since a market time, from trades and fills of the record."""
    trades = TradeRepository(transaction).of_strategy(strategy, account, since)
    fills = FillRepository(transaction).of_trades([trade.id for trade in trades])
    fates = []
    for trade in trades:
        own, entry = fills[trade.id], entry_reference_of(trade)
        entered = [fill for fill in own if fill.ref == entry]
        fates.append(fate_of(trade, entered, [fill for fill in own if fill.ref != entry]))
    return fates
