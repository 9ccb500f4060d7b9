"""The exit guard: looks at open trades on every quote of their legs; the fastest caller of `exit_decision`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from htbot.alerts.wording import error_alert
from htbot.desk.orders import OrderDesk
from htbot.desk.threads import DatabaseThread
from htbot.domain.orders import ExitReason, PriceStyle
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade, TradeState
from htbot.execution.exits import ExitDecision, ExitWatch, exit_decision
from htbot.execution.intents import EXIT_STYLES
from htbot.persistence.records import StoredIntent
from htbot.persistence.repositories import TradeRepository
from htbot.portfolio.marks import Marks
from htbot.services.outbox import tell_seldom
from htbot.services.trade_record import request_exit

# Between two exits of a trade: 1 s of market time after the first, twice as long each time, at most a cycle.
LONGEST_PAUSE_S = 30
_log = logging.getLogger(__name__)
_GUARDED = frozenset({TradeState.OPEN, TradeState.CLOSING})


@dataclass(slots=True)
class _Guarded:
    trade: Trade
    watch: ExitWatch
    exits: int = 0
    asked_at: datetime | None = None

    def may_ask(self, now: datetime) -> bool:
        """An exit that was refused is asked for again, but never as fast as quotes come: that would be a storm."""
        pause_s = min(2 ** max(self.exits - 1, 0), LONGEST_PAUSE_S)
        return self.asked_at is None or now - self.asked_at >= timedelta(seconds=pause_s)


@dataclass(frozen=True, slots=True)
class GuardParts:
    """What the guard works with: prices of legs, what the broker holds of a contract, whether the market is open."""

    database: DatabaseThread
    orders: OrderDesk
    marks_of: Callable[[tuple[SpreadLeg, ...], datetime], Marks]
    broker_holdings: Callable[[str], Mapping[int, int]]
    market_open: Callable[[datetime], bool]


class ExitGuard:
    """Open trades in memory, kept in step with the record by `follow`."""

    def __init__(self, parts: GuardParts) -> None:
        self._parts = parts
        self._guarded: dict[str, _Guarded] = {}

    def follow(self, trade: Trade) -> None:
        """The record of a trade has changed."""
        if trade.state in _GUARDED:
            self._guarded.setdefault(trade.id, _Guarded(trade, ExitWatch())).trade = trade
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
        return await self.ask_exit(trade, decision)

    async def _page(self, guarded: _Guarded, decision: ExitDecision) -> None:
        """Outside regular hours nothing is queued: a person has to look (RULINGS 11)."""
        guarded.asked_at, guarded.exits = decision.as_of, guarded.exits + 1
        text = f"{guarded.trade.id} is open and its exit ({decision.reason.value}) is due, but the market is closed"
        alert = error_alert("open after hours", text, decision.as_of)
        await self._parts.database.insist(lambda session: tell_seldom(session, alert))

    async def ask_exit(self, trade: Trade, decision: ExitDecision) -> int:
        """Write the exit of a trade; 1 when this call wrote it. A second exit means that the first has failed: told."""
        guarded = self._guarded.get(trade.id) or _Guarded(trade, ExitWatch())
        if not guarded.may_ask(decision.as_of):
            return 0
        if not self._parts.market_open(decision.as_of):
            await self._page(guarded, decision)
            return 0
        holdings = self._parts.broker_holdings(trade.account)
        gain, again = guarded.watch.max_gain_usd, guarded.exits > 0

        def write(session: Session) -> StoredIntent | None:
            if gain is not None:
                TradeRepository(session).raise_max_gain(trade.id, gain)
            intent = request_exit(session, trade.id, decision, holdings)
            if decision.reason is ExitReason.OTHER and intent is not None:
                tell_seldom(session, error_alert("blind exit", f"{trade.id}: {decision.detail}", decision.as_of))
            if again and intent is not None:
                text = f"the exit of {trade.id} has ended and the trade is open: trying again as {intent.intent.ref}"
                tell_seldom(session, error_alert("close failed", text, decision.as_of))
            return intent

        stored = await self._parts.database.insist(write)
        guarded.asked_at = decision.as_of
        if stored is None:
            _log.warning("nothing to close for %s (%s): broker holds %s", trade.id, decision.reason, dict(holdings))
            return 0
        guarded.exits += 1
        _log.info("exit of %s: %s, %s", trade.id, decision.reason.value, decision.detail)
        return 1
