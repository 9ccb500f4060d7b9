"""The exit guard: looks at open trades on every quote of their legs; the fastest caller of `exit_decision`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from htbot.desk.orders import OrderDesk
from htbot.desk.threads import DatabaseThread
from htbot.domain.orders import PriceStyle
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade, TradeState
from htbot.execution.exits import ExitDecision, ExitWatch, exit_decision
from htbot.execution.intents import EXIT_STYLES
from htbot.persistence.records import StoredIntent
from htbot.persistence.repositories import TradeRepository
from htbot.portfolio.marks import Marks
from htbot.services.trade_record import request_exit

_log = logging.getLogger(__name__)
_GUARDED = frozenset({TradeState.OPEN, TradeState.CLOSING})


@dataclass(slots=True)
class _Guarded:
    trade: Trade
    watch: ExitWatch


@dataclass(frozen=True, slots=True)
class GuardParts:
    """What the guard works with: prices of legs at a market time, and what the broker holds of a contract."""

    database: DatabaseThread
    orders: OrderDesk
    marks_of: Callable[[tuple[SpreadLeg, ...], datetime], Marks]
    broker_holdings: Callable[[str], Mapping[int, int]]


class ExitGuard:
    """Open trades in memory, kept in step with the record by `follow`."""

    def __init__(self, parts: GuardParts) -> None:
        self._parts = parts
        self._guarded: dict[str, _Guarded] = {}

    def follow(self, trade: Trade) -> None:
        """The record of a trade has changed."""
        if trade.state in _GUARDED:
            known = self._guarded.get(trade.id)
            self._guarded[trade.id] = _Guarded(trade, known.watch if known else ExitWatch())
        else:
            self._guarded.pop(trade.id, None)

    @property
    def trades(self) -> list[Trade]:
        """Trades that are guarded now."""
        return [guarded.trade for guarded in self._guarded.values()]

    @property
    def held(self) -> set[int]:
        """Contracts whose quotes the guard needs."""
        return {leg.con_id for guarded in self._guarded.values() for leg in guarded.trade.legs}

    async def look(self, now: datetime, ticked: Collection[int] | None = None) -> int:
        """Look at every open trade, or at those with a leg that has ticked; returns how many exits were asked for."""
        asked = 0
        for guarded in tuple(self._guarded.values()):
            if ticked is not None and not any(leg.con_id in ticked for leg in guarded.trade.legs):
                continue
            marks = self._parts.marks_of(guarded.trade.legs, now)
            decision, guarded.watch = exit_decision(guarded.trade, marks, guarded.watch, now)
            if decision is not None:
                asked += await self._close(guarded, decision)
        return asked

    async def _close(self, guarded: _Guarded, decision: ExitDecision) -> int:
        trade = guarded.trade
        working = self._parts.orders.live_of_trade(trade.id)
        for live in working:
            if live.is_entry:
                self._parts.orders.cancel(live)
            elif EXIT_STYLES[decision.reason] is PriceStyle.URGENT:
                self._parts.orders.hurry(live, decision.as_of)
        if trade.state is not TradeState.OPEN or working:
            return 0
        return await self.ask_exit(trade, decision, guarded.watch)

    async def ask_exit(self, trade: Trade, decision: ExitDecision, watch: ExitWatch | None = None) -> int:
        """Write the exit of a trade; 1 when this call wrote it."""
        holdings = self._parts.broker_holdings(trade.account)
        gain = None if watch is None else watch.max_gain_usd

        def write(session: Session) -> StoredIntent | None:
            if gain is not None:
                TradeRepository(session).raise_max_gain(trade.id, gain)
            return request_exit(session, trade.id, decision, holdings)

        stored = await self._parts.database.insist(write)
        if stored is None:
            _log.warning("nothing to close for %s (%s): broker holds %s", trade.id, decision.reason, dict(holdings))
            return 0
        _log.info("exit of %s: %s, %s", trade.id, decision.reason.value, decision.detail)
        return 1
