"""Whether anything is traded now and what stands open, in one answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.domain.scheduler import SchedulerState
from htbot.persistence.queries.selection import Selection
from htbot.services.queries import Queries
from htbot.services.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class TradingStatus:
    """`can_trade`: an entry could leave now; `why_not` is the first thing that keeps it from it. Unknown is null."""

    mode: str
    account: str | None
    market_time: datetime | None
    is_market_hours: bool
    connection: str
    can_trade: bool
    why_not: str | None
    scheduler: SchedulerState
    halted_by: list[str]
    breaker_active: bool
    open_trades: int
    positions: int
    day_net: Decimal | None
    open_pnl: Decimal | None


class TradingStatuses:
    """Reads. Raises `Retryable` when PostgreSQL does not answer."""

    def __init__(self, queries: Queries, scheduler: Scheduler) -> None:
        self._queries = queries
        self._scheduler = scheduler

    def now(self) -> TradingStatus:
        """Of the traded account."""
        desk, scheduler = self._queries.desk(), self._scheduler.status()
        halts, pnl = self._queries.halts(), self._queries.pnl(Selection())
        halts = [halt for halt in halts if halt.account in {None, pnl.account}]
        halted_by = [halt.source for halt in halts]
        why_not = scheduler.why_not or (f"halted by {', '.join(halted_by)}" if halted_by else None)
        return TradingStatus(
            mode=self._queries.mode,
            account=pnl.account,
            market_time=desk.market_time,
            is_market_hours=scheduler.is_market_hours,
            connection=desk.connection,
            can_trade=why_not is None,
            why_not=why_not,
            scheduler=scheduler.state,
            halted_by=halted_by,
            breaker_active=any(halt.kind == "breaker" for halt in halts),
            open_trades=pnl.open.trades,
            positions=len(self._queries.positions()),
            day_net=pnl.day.net,
            open_pnl=pnl.open.mid,
        )
