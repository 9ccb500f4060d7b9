"""Marks of open trades every 30 seconds, and the durable backstop of the desk's exit guard."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session as Transaction

from htbot.domain.trades import Trade, TradeState
from htbot.execution.exits import ExitWatch, exit_decision
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.records import PnlSnapshot
from htbot.persistence.repositories import PnlRepository, TradeRepository
from htbot.portfolio.marks import Marks, mark_spread
from htbot.portfolio.pnl import open_pnl
from htbot.services.trade_record import request_exit, settle_trade


class PnlMarker:
    """Keeps the best gain of each trade between looks."""

    def __init__(self) -> None:
        self._watches: dict[str, ExitWatch] = {}

    def mark(self, transaction: Transaction, snapshot: Snapshot, as_of: datetime) -> int:
        """Mark every live trade of the snapshot's account and underlying; returns how many exits this call asked for.

        A trade whose exit is due and not under way is closed from here: the guard is only the fastest caller.
        """
        asked = 0
        live = TradeRepository(transaction).live(account=snapshot.account)
        for trade in live:
            if trade.symbol != snapshot.symbol or trade.state is TradeState.OPENING:
                continue
            marks = mark_spread(trade.legs, snapshot.quotes, as_of)
            # Only what is sure at one look: confirming over consecutive quotes is the guard's, which sees them all.
            watch = replace(self._watches.get(trade.id, ExitWatch()), pending=None, since=None)
            decision, watch = exit_decision(trade, marks, watch, as_of)
            self._watches[trade.id] = watch
            self._snapshot(transaction, trade, marks, watch)
            if decision is not None and trade.state is TradeState.OPEN:
                asked += request_exit(transaction, trade.id, decision) is not None
        self._settle_late(transaction, snapshot.account, as_of)
        self._watches = {trade.id: self._watches[trade.id] for trade in live if trade.id in self._watches}
        return asked

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

    @staticmethod
    def _settle_late(transaction: Transaction, account: str, as_of: datetime) -> None:
        """Closed trades whose commissions have not come: their mail goes out without them after a minute."""
        for trade in TradeRepository(transaction).recent(limit=5, account=account):
            if trade.state is TradeState.CLOSED and trade.commissions_usd is None:
                settle_trade(transaction, trade.id, as_of)
