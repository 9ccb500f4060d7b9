"""What users of freqtrade know by name, answered in its shapes as far as they mean something here.

Money is a number of dollars there, not text, and a pair is an underlying. Ratios are of the equity that the record
begins with. Stakes, fiat and trading volume have no meaning for spreads and are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.persistence.queries.selection import Selection
from htbot.services.callers import Caller, Conflict
from htbot.services.command_kinds import EVERY_ACCOUNT
from htbot.services.commands import Commands
from htbot.services.performance import Performance
from htbot.services.queries import Queries
from htbot.services.scheduler import Scheduler

EVERY_TRADE = "all"


@dataclass(frozen=True, slots=True)
class Count:
    """Open trades, how many there may be at once, and what the open ones can lose (null: unknown)."""

    current: int
    max: int
    total_stake: float | None


@dataclass(frozen=True, slots=True)
class Profit:
    """What was earned; `closed` of closed trades, `all` with the open ones at mid. Unknown is null.

    Ratios are shares of the starting equity, percents a hundred times as much; times are milliseconds since 1970.
    """

    profit_closed_coin: float | None
    profit_closed_ratio: float | None
    profit_closed_percent: float | None
    profit_all_coin: float | None
    profit_all_ratio: float | None
    profit_all_percent: float | None
    trade_count: int
    closed_trade_count: int
    first_trade_date: datetime | None
    first_trade_timestamp: int | None
    latest_trade_date: datetime | None
    latest_trade_timestamp: int | None
    avg_duration: float | None
    best_pair: str | None
    best_pair_profit_abs: float | None
    winning_trades: int | None
    losing_trades: int | None
    profit_factor: float | None
    winrate: float | None
    expectancy: float | None
    max_drawdown: float | None
    max_drawdown_abs: float | None


@dataclass(frozen=True, slots=True)
class PairProfit:
    """What an underlying has earned, dollars and share of the starting equity; null when unknown."""

    pair: str
    profit: float | None
    profit_ratio: float | None
    profit_pct: float | None
    profit_abs: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Told:
    """A line of what was done."""

    status: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A line of what was asked for."""

    result: str


@dataclass(frozen=True, slots=True)
class FreqtradeParts:
    """What it is made of. `changed` names the settings that are read otherwise now than at the start."""

    queries: Queries
    performance: Performance
    scheduler: Scheduler
    commands: Commands
    most_trades: int
    changed: Callable[[], list[str]]


class Freqtrade:
    """freqtrade's names over our services."""

    def __init__(self, parts: FreqtradeParts) -> None:
        self._parts = parts

    def count(self) -> Count:
        """Open trades."""
        opened = self._parts.queries.pnl(Selection()).open
        return Count(opened.trades, self._parts.most_trades, _number(opened.maximum_loss))

    def profit(self) -> Profit:
        """Everything that was earned by the traded account."""
        told, opened = self._parts.performance.measure(), self._parts.queries.pnl(Selection()).open
        at_mid = Decimal(0) if opened.trades == 0 else opened.mid
        everything = None if told.net_profit is None or at_mid is None else told.net_profit + at_mid
        best = next(iter(self._parts.performance.by_symbol()), None)
        closed_ratio, all_ratio = (_share(one, told.start_equity) for one in (told.net_profit, everything))
        return Profit(
            profit_closed_coin=_number(told.net_profit),
            profit_closed_ratio=closed_ratio,
            profit_closed_percent=_percent(closed_ratio),
            profit_all_coin=_number(everything),
            profit_all_ratio=all_ratio,
            profit_all_percent=_percent(all_ratio),
            trade_count=told.trades + opened.trades,
            closed_trade_count=told.trades,
            first_trade_date=told.first_trade_at,
            first_trade_timestamp=_milliseconds(told.first_trade_at),
            latest_trade_date=told.last_trade_at,
            latest_trade_timestamp=_milliseconds(told.last_trade_at),
            avg_duration=told.average_duration_s,
            best_pair=None if best is None else best.symbol,
            best_pair_profit_abs=None if best is None else _number(best.net_profit),
            winning_trades=told.winners,
            losing_trades=told.losers,
            profit_factor=told.profit_factor,
            winrate=told.win_rate,
            expectancy=_number(told.expectancy),
            max_drawdown=told.max_drawdown,
            max_drawdown_abs=_number(told.max_drawdown_usd),
        )

    def pairs(self) -> list[PairProfit]:
        """By underlying, the best in front."""
        start = self._parts.performance.measure().start_equity
        found = []
        for one in self._parts.performance.by_symbol():
            usd, ratio = _number(one.net_profit), _share(one.net_profit, start)
            found.append(PairProfit(one.symbol, _percent(ratio), ratio, _percent(ratio), usd, one.trades))
        return found

    def force_exit(self, trade_id: str, caller: Caller) -> Exited:
        """Close one trade, or with `all` everything.

        Raises:
            NotFound: there is no such trade.
            DeskAway: nobody is there to execute it.
            Conflict: the trade is over.
        """
        if trade_id == EVERY_TRADE:
            told = self._parts.commands.close(EVERY_ACCOUNT, caller)
            return Exited(f"every position is being closed: command {told.command_id}")
        told = self._parts.commands.close_trade(trade_id, caller)
        return Exited(f"trade {trade_id} is being closed: command {told.command_id}")

    def stop_entry(self, caller: Caller) -> Told:
        """Enter nothing from now on; exits go on.

        Raises:
            Conflict: the scheduler is stopped: nothing is entered anyway.
        """
        self._parts.scheduler.pause(caller)
        return Told("nothing is entered from now on: POST /api/scheduler/resume ends it")

    def reload(self) -> Told:
        """Look whether the settings have changed. Strategies on plain instruments are read anew with each evaluation.

        Raises:
            Conflict: settings have changed that are read at the start only; the text names them.
            ConfigurationError: they cannot be run with.
        """
        changed = self._parts.changed()
        if changed:
            names = ", ".join(changed)
            raise Conflict(f"settings are read at the start: ./restart.sh takes over what has changed: {names}")
        return Told("no setting has changed; instances of strategies are read anew with each evaluation")


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _share(amount: Decimal | None, of: Decimal | None) -> float | None:
    return None if amount is None or of is None or of <= 0 else float(amount / of)


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)
