"""What the record has of one played day, as parity compares it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session as Transaction

from htbot.backtest.spread_parity import DayRows, rows_of_trades
from htbot.domain.sessions import Session
from htbot.persistence.repositories import (
    AccountRepository,
    BarRepository,
    EvaluationRepository,
    FillRepository,
    IntentRepository,
    Series,
    SignalRepository,
    TradeRepository,
)


@dataclass(frozen=True, slots=True)
class DayRecord:
    """A day of one account; `history_from` is the start of the first bar on record, None without any."""

    account: str
    history_from: datetime | None
    rows: DayRows


def read_day(transaction: Transaction, series: Series, session: Session) -> DayRecord:
    """The day of the account that traded in the series' world."""
    accounts = AccountRepository(transaction).all(series.world_id)
    account = accounts[0].account if accounts else ""
    day = session.day
    bars = BarRepository(transaction).closed(series, session.closes)
    signals = SignalRepository(transaction).of_session(day, account)
    return DayRecord(
        account=account,
        history_from=bars[0].start if bars else None,
        rows=DayRows(
            bars=[bar for bar in bars if session.contains(bar.start)],
            evaluations=EvaluationRepository(transaction).of_day(day, account),
            signals=[(stored.signal, stored.refused_by) for stored in signals],
            intents=[stored.intent for stored in IntentRepository(transaction).of_session(day, account)],
            fills=FillRepository(transaction).of_session(day, account),
            trades=rows_of_trades(TradeRepository(transaction).of_session(day, account)),
        ),
    )
