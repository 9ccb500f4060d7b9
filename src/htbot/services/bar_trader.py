"""Strategies on plain instruments that trade: their entries, put before the gate.

A wish is acted on once, in the transaction that first writes its signal, and only while its bar is fresh: what is found
out later, by another process or after a restart, is the record of a decision and makes no new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session as Transaction

from htbot.domain.margin import MarginQuestion
from htbot.engine.recorded import Fate, fate_of
from htbot.engine.share_entries import EntryDesk, Wanted, decide_shares
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
    """Acts on wishes, each in the caller's transaction."""

    def __init__(self, parts: TraderParts) -> None:
        self._parts = parts

    def act(self, transaction: Transaction, wanted: Wanted, snapshot: Snapshot) -> bool:
        """Put an entry before the gate, or ask for an exit; False when its bar was decided on before."""
        if wanted.fired.action == "leave":
            return leave(transaction, wanted.signal, wanted.ended_at)
        signal = wanted.signal
        key = BookKey(signal.strategy, signal.account, signal.session)
        desk = EntryDesk(
            limits=self._parts.limits_of(wanted.config),
            read_book=lambda: self._book(transaction, key, signal.as_of),
            ask_margin=lambda intent: self._parts.ask_margin(MarginQuestion.of(intent)),
        )
        session = SessionRepository(transaction).get(signal.session)
        return store_decided(transaction, decide_shares(wanted, snapshot, session, desk), snapshot)

    def _book(self, transaction: Transaction, key: BookKey, as_of: datetime) -> Book:
        book = BookQuery(transaction).read(key, as_of)
        if self._parts.enabled:
            return book
        off = "trading by strategies is switched off: set HTBOT_ENABLED=true"
        return replace(book, halted_by=book.halted_by or off)


def fates_of(transaction: Transaction, strategy: str, account: str, since: datetime) -> list[Fate]:
    """What became of each entry of a strategy since a market time, from trades and fills of the record."""
    trades = TradeRepository(transaction).of_strategy(strategy, account, since)
    fills = FillRepository(transaction).of_refs([entry_reference_of(trade) for trade in trades])
    first: dict[str, datetime] = {}
    for fill in fills:
        first[fill.ref] = min(first.get(fill.ref, fill.executed_at), fill.executed_at)
    return [fate_of(trade, first.get(entry_reference_of(trade))) for trade in trades]
