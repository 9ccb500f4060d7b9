"""What the record has of one played day, as parity compares it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session as Transaction

from htbot.backtest.day_rows import DayRows, KnownBar, merged, rows_of_trades
from htbot.domain.sessions import Session
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import (
    AccountRepository,
    BarRepository,
    EvaluationRepository,
    FillRepository,
    IntentRepository,
    Series,
    SignalRepository,
    StrategyRepository,
    TradeRepository,
)
from htbot.strategies.kinds import ON_OPTIONS


@dataclass(frozen=True, slots=True)
class SeatRecord:
    """An instance as it was set and looked at, with the account that it trades.

    `first_bar` is the first bar that its state is folded from, `since` the instant from which on it may enter: both
    None when it was never folded. One `on_options` is folded from the first bar on record, `history_from`, None without
    any.
    """

    name: str
    type: str
    account: str
    symbol: str
    minutes: int
    settings: Mapping[str, Any]
    config_hash: str
    first_bar: datetime | None
    since: datetime | None
    history_from: datetime | None = None

    @property
    def on_options(self) -> bool:
        """Whether it sells spreads."""
        return self.type in ON_OPTIONS


@dataclass(frozen=True, slots=True)
class DayRecord:
    """A day of all accounts, `account` being the main one.

    `history_from` is the start of strategy 1's first bar on record, None without any.
    """

    account: str
    history_from: datetime | None
    rows: DayRows
    seats: tuple[SeatRecord, ...] = ()

    def only(self, strategies: Collection[str], series: Collection[tuple[str, int]]) -> DayRows:
        """What some strategies did, on the bars of some series (symbol and minutes)."""
        rows = self.rows
        refs = {one.ref for one in rows.intents if one.strategy in strategies}
        return replace(
            rows,
            bars=[known for known in rows.bars if (known.bar.symbol, known.bar.minutes) in series],
            evaluations=[one for one in rows.evaluations if one.strategy in strategies],
            signals=[pair for pair in rows.signals if pair[0].strategy in strategies],
            intents=[one for one in rows.intents if one.strategy in strategies],
            fills=[one for one in rows.fills if one.ref in refs],
            trades=[one for one in rows.trades if one.of in strategies],
        )


def read_day(transaction: Transaction, series: Series, session: Session, main: str | None = None) -> DayRecord:
    """The day of the accounts that traded in the series' world, with everything that any strategy did.

    `main` is the account of strategy 1 and of all that is not told otherwise, None the only one there is.
    """
    accounts = [one.account for one in AccountRepository(transaction).all(series.world_id)]
    account = main or next(iter(accounts), "")
    history = BarRepository(transaction).closed(series, session.closes)
    bars = BarRepository(transaction).of_day(series.world_id, session.day)
    of_accounts = [_rows(transaction, session, one) for one in accounts]
    return DayRecord(
        account=account,
        history_from=history[0].start if history else None,
        rows=replace(
            merged(of_accounts),
            bars=[KnownBar(bar, known_at) for bar, known_at in bars if session.contains(bar.start)],
        ),
        seats=tuple(_seat(transaction, series.world_id, account, one) for one in StrategyRepository(transaction).all()),
    )


def read_days(
    transaction: Transaction, series: Series, sessions: Sequence[Session], main: str | None = None
) -> DayRecord:
    """Sessions that were played one after the other, as one; a trade is of the session in which it was begun."""
    days = [read_day(transaction, series, session, main) for session in sessions]
    return replace(days[-1], rows=merged(day.rows for day in days))


def _rows(transaction: Transaction, session: Session, account: str) -> DayRows:
    """What was done in an account."""
    day = session.day
    signals = SignalRepository(transaction).of_session(day, account)
    return DayRows(
        bars=(),
        evaluations=EvaluationRepository(transaction).of_day(day, account),
        signals=[(stored.signal, stored.refused_by) for stored in signals],
        intents=[stored.intent for stored in IntentRepository(transaction).of_session(day, account)],
        fills=FillRepository(transaction).of_session(day, account),
        trades=rows_of_trades(TradeRepository(transaction).of_session(day, account)),
    )


def _seat(transaction: Transaction, world_id: str, main: str, one: StrategyInstance) -> SeatRecord:
    seen = one.observed
    history_from = BarRepository(transaction).first(Series(world_id, one.symbol, one.minutes))
    return SeatRecord(
        name=one.name,
        type=one.type,
        account=one.account or main,
        symbol=one.symbol,
        minutes=one.minutes,
        settings=dict(one.settings),
        config_hash=one.config_hash,
        first_bar=None if seen is None else seen.first_bar,
        since=None if seen is None else seen.since,
        history_from=history_from,
    )
