"""Strategies on plain instruments that trade: their entries, put before the gate.

A wish is acted on once, in the transaction that first writes its signal, and only while its bar is fresh: what is found
out later, by another process or after a restart, is the record of a decision and makes no new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session as Transaction

from htbot.domain.margin import MarginQuestion
from htbot.engine.recorded import Fate, fate_of
from htbot.engine.share_entries import EntryDesk, Wanted, settle_shares, weigh_shares
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.repositories import FillRepository, SessionRepository, TradeRepository
from htbot.risk.book import Book
from htbot.risk.limits import Limits
from htbot.services.bar_exits import leave
from htbot.services.decision_record import store_decided
from htbot.services.margin import AskMargin
from htbot.services.trade_record import entry_reference_of
from htbot.strategies.bar_strategy import BarConfig


@dataclass(frozen=True, slots=True)
class TraderParts:
    """What entries are judged with.

    `limits_of` gives the gate's numbers for a strategy's configuration, `ask_margin` shows the broker an entry,
    `enabled` is the person's switch (RULINGS 27).
    """

    limits_of: Callable[[BarConfig], Limits]
    ask_margin: AskMargin
    enabled: bool


class BarTrader:
    """Acts on wishes, each in the caller's transaction: first all are weighed, then they are acted on one by one."""

    def __init__(self, parts: TraderParts) -> None:
        self._parts = parts

    def weigh(self, transaction: Transaction, wanted: Wanted, snapshot: Snapshot) -> Callable[[], bool]:
        """Put an entry before the gate and the broker; returns what is to be done about the wish.

        That is done once the account is held: it answers False when the wish's bar was decided on before.
        """
        if wanted.fired.action == "leave":
            return partial(leave, transaction, wanted.signal, wanted.ended_at)
        signal, limits, books = wanted.signal, self._parts.limits_of(wanted.config), BookQuery(transaction)
        key = BookKey(signal.strategy, signal.account, signal.session)
        desk = EntryDesk(
            limits=limits,
            read_book=lambda: self._switched(books.read(key, signal.as_of)),
            ask_margin=lambda intent: self._parts.ask_margin(MarginQuestion.of(intent)),
        )
        weighed = weigh_shares(wanted, snapshot, SessionRepository(transaction).get(signal.session), desk)

        def enter() -> bool:
            decided = settle_shares(weighed, limits, lambda: self._switched(books.read_last(key, signal.as_of)))
            return store_decided(transaction, decided, snapshot)

        return enter

    def _switched(self, book: Book) -> Book:
        """The book, halted while the person's switch is off."""
        off = "trading by strategies is switched off: set HTBOT_ENABLED=true"
        return book if self._parts.enabled else replace(book, halted_by=book.halted_by or off)


def fates_of(transaction: Transaction, strategy: str, account: str, since: datetime) -> list[Fate]:
    """What became of each entry of a strategy since a market time, from trades and fills of the record."""
    trades = TradeRepository(transaction).of_strategy(strategy, account, since)
    fills = FillRepository(transaction).of_refs([entry_reference_of(trade) for trade in trades])
    first: dict[str, datetime] = {}
    for fill in fills:
        first[fill.ref] = min(first.get(fill.ref, fill.executed_at), fill.executed_at)
    return [fate_of(trade, first.get(entry_reference_of(trade))) for trade in trades]
