"""Marks of open trades every 30 seconds, and the durable backstop of the desk's exit guard."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session as Transaction

from htbot.domain.orders import ExitReason
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import Trade, TradeState
from htbot.execution.bid_bars import BidBars
from htbot.execution.exits import ExitWatch, exit_decision
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.records import PnlSnapshot
from htbot.persistence.repositories import PnlRepository, SessionRepository, TradeRepository
from htbot.portfolio.marks import Marks, mark_spread
from htbot.portfolio.pnl import open_pnl
from htbot.services.trade_record import request_exit, settle_trade

_AT_THE_BROKER = frozenset({ExitReason.STOP_LOSS, ExitReason.PROFIT_TARGET})


class PnlMarker:
    """Keeps the best gain of each trade between looks."""

    def __init__(self) -> None:
        self._watches: dict[str, ExitWatch] = {}

    def mark(self, transaction: Transaction, snapshot: Snapshot, as_of: datetime) -> int:
        """Mark every live trade of the snapshot's accounts, whose legs it quotes; returns how many exits it asked for.

        A trade whose exit is due and not under way is closed from here: the guard is only the fastest caller. What is
        held over night has the mark of the close until the open: prices of the night decide nothing, and are no gain.
        """
        asked, session = 0, SessionRepository(transaction).get(as_of.astimezone(NEW_YORK).date())
        is_open = session is not None and session.contains(as_of)
        trades = TradeRepository(transaction)
        unfinished = [trade for account in snapshot.accounts for trade in trades.unfinished(account)]
        for trade in unfinished:
            if trade.state is TradeState.CLOSED:
                # Its commissions have not come: its mail goes out without them after a minute.
                settle_trade(transaction, trade.id, as_of)
            elif trade.state is not TradeState.OPENING and (is_open or not trade.rules.overnight):
                asked += self._look(transaction, trade, snapshot, as_of)
        self._watches = {trade.id: self._watches[trade.id] for trade in unfinished if trade.id in self._watches}
        return asked

    def _look(self, transaction: Transaction, trade: Trade, snapshot: Snapshot, as_of: datetime) -> bool:
        """Mark one trade; True when this look has asked for its exit."""
        marks = mark_spread(trade.legs, snapshot.quotes, as_of)
        # Only what is sure at one look: confirming over consecutive quotes, and bars of bids, are the guard's, which
        # sees them all.
        watch = replace(self._watches.get(trade.id, ExitWatch()), pending=None, since=None, bids=BidBars())
        decision, watch = exit_decision(trade, marks, watch, as_of)
        self._watches[trade.id] = watch
        self._snapshot(transaction, trade, marks, watch)
        if decision is None or trade.state is not TradeState.OPEN or _closed(transaction, as_of):
            return False
        if trade.plain is not None and decision.reason in _AT_THE_BROKER:
            return False  # its stop and target stand there, and the desk looks after them
        return request_exit(transaction, trade.id, decision) is not None

    @staticmethod
    def _snapshot(transaction: Transaction, trade: Trade, marks: Marks, watch: ExitWatch) -> None:
        if watch.max_gain_usd is not None:
            TradeRepository(transaction).raise_max_gain(trade.id, watch.max_gain_usd)
        PnlRepository(transaction).add_snapshot(
            PnlSnapshot(
                trade_id=trade.id,
                as_of=marks.as_of,
                mid_debit=marks.mid_cost,
                natural_debit=marks.natural_cost,
                mid_pnl_usd=open_pnl(trade, marks, "mid"),
                natural_pnl_usd=open_pnl(trade, marks, "natural"),
                max_gain_usd=watch.max_gain_usd,
                details={"doubt": marks.doubt},
            )
        )


def _closed(transaction: Transaction, as_of: datetime) -> bool:
    """True outside regular hours, where no exit is queued (RULINGS 11); the desk pages a person."""
    session = SessionRepository(transaction).get(as_of.astimezone(NEW_YORK).date())
    return session is not None and not session.contains(as_of)
