"""What trading has earned: the metrics of a backtest over the stored trades and the stored equity.

Definitions are those of docs/concepts/backtest-metrics.md. One trade whose result is unknown makes every sum and ratio
over the trades unknown; a day without equity is left out of the curve.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from htbot.backtest.metrics_curve import CurveMetrics, measure_curve
from htbot.backtest.metrics_trades import ZERO, TradeMetrics, measure_trades
from htbot.backtest.result import EquityCurve, ResultTrade
from htbot.domain.errors import CallerMistake, NotFound
from htbot.domain.orders import ExitReason
from htbot.domain.signals import Direction
from htbot.domain.trades import sum_of
from htbot.persistence.engine import Database
from htbot.persistence.queries.results import ClosedTrade, closed_trades
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import AccountView, DayPnl, OpenPnl
from htbot.persistence.queries.trades import days_pnl
from htbot.persistence.records import CashFlow, EquityDay
from htbot.persistence.repositories import EquityRepository
from htbot.services.queries import EVERY_ACCOUNT, Queries, closed_of


@dataclass(frozen=True, slots=True)
class PerformanceView:
    """Ratios are shares (0.1 is 10 %), losses negative, money in dollars net of commissions unless its name says gross.

    `unknown_trades` closed ones have a result that is not known yet. `max_drawdown` is >= 0, of the daily equity.
    """

    account: str | None
    trades: int
    unknown_trades: int
    first_trade_at: datetime | None
    last_trade_at: datetime | None
    winners: int | None
    losers: int | None
    net_profit: Decimal | None
    gross_pnl: Decimal | None
    commissions: Decimal | None
    profit_factor: float | None
    win_rate: float | None
    expectancy: Decimal | None
    payoff_ratio: float | None
    average_win: Decimal | None
    average_loss: Decimal | None
    largest_win: Decimal | None
    largest_loss: Decimal | None
    wins_in_a_row: int | None
    losses_in_a_row: int | None
    average_duration_s: float | None
    average_max_gain: Decimal | None
    first_day: date | None
    last_day: date | None
    sessions: int
    start_equity: Decimal | None
    end_equity: Decimal | None
    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    best_day: float | None
    worst_day: float | None
    max_drawdown: float | None
    max_drawdown_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class SymbolPerformance:
    """What an underlying has earned; `net_profit` null when a trade's result is unknown."""

    symbol: str
    trades: int
    net_profit: Decimal | None


@dataclass(frozen=True, slots=True)
class MonthView:
    """The closed trades of a month by session, and their sums; an unknown part makes a sum unknown."""

    account: str | None
    year: int
    month: int
    trades: int
    gross: Decimal | None
    commissions: Decimal | None
    net: Decimal | None
    days: list[DayPnl]


@dataclass(frozen=True, slots=True)
class PortfolioSummary:
    """The traded account in a few figures; what the broker has not told is null."""

    account: AccountView | None
    positions: int
    open: OpenPnl
    day: DayPnl
    trades: int
    net_profit: Decimal | None


class Performance:
    """Reads. Every method raises `Retryable` when PostgreSQL does not answer."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._queries = queries

    def measure(self, account: str | None = None) -> PerformanceView:
        """Every metric of an account, by default of the one that is traded."""
        named = self._queries.account_meant(account)
        closed = self._closed(named)
        known = [trade for trade in map(_result, closed) if trade is not None]
        trades = measure_trades(known) if len(known) == len(closed) else None
        curve = None if named is None else self._curve(named)
        return PerformanceView(
            account=named,
            trades=len(closed),
            unknown_trades=len(closed) - len(known),
            first_trade_at=min((trade.opened_at for trade in closed), default=None),
            last_trade_at=max((trade.opened_at for trade in closed), default=None),
            **_of_trades(trades, [trade.max_gain for trade in closed]),
            **_of_curve(curve),
        )

    def by_symbol(self, account: str | None = None) -> list[SymbolPerformance]:
        """By underlying, the one that earned most in front and those that are unknown behind."""
        found = []
        closed = sorted(self._closed(self._queries.account_meant(account)), key=lambda one: one.symbol)
        for symbol, trades in groupby(closed, lambda one: one.symbol):
            results = [trade.net_pnl for trade in trades]
            found.append(SymbolPerformance(symbol, len(results), sum_of(results)))
        return sorted(found, key=lambda one: (one.net_profit is None, -(one.net_profit or ZERO), one.symbol))

    def summary(self, asked: str | None = None) -> PortfolioSummary:
        """An account now, by default the one that is traded; `all` puts every one together, and names none."""
        pnl = self._queries.pnl(Selection(account=asked))
        results = [trade.net_pnl for trade in self._closed(self._queries.account_meant(asked))]
        try:
            account = None if asked == EVERY_ACCOUNT else self._queries.account(asked)
        except NotFound:
            account = None
        return PortfolioSummary(
            account=account,
            positions=len(self._queries.positions(asked)),
            open=pnl.open,
            day=pnl.day,
            trades=len(results),
            net_profit=sum_of(results),
        )

    def month(self, year: int | None = None, month: int | None = None, account: str | None = None) -> MonthView:
        """A month of New York sessions, by default that of the market's clock, else the last with a trade.

        Raises:
            CallerMistake: a year without a month, or the other way round.
            NotFound: no month is named, and none is known.
        """
        if (year is None) != (month is None):
            raise CallerMistake("name both year and month, or neither")
        named = self._queries.account_meant(account)
        with self._database.transaction() as session:
            if year is None or month is None:
                begun = closed_of(session, named, None, self._queries.desk()).day
                if begun is None:
                    raise NotFound("no month is known yet: name year and month")
                year, month = begun.year, begun.month
            days = days_pnl(session, year, month, named)
        whole = {name: sum_of([getattr(day, name) for day in days]) for name in ("gross", "commissions", "net")}
        return MonthView(named, year, month, sum(day.trades for day in days), days=days, **whole)

    def _closed(self, account: str | None) -> list[ClosedTrade]:
        with self._database.transaction() as session:
            return closed_trades(session, account)

    def _curve(self, account: str) -> CurveMetrics | None:
        """The daily equity without what people paid in or took out; None where there is none."""
        with self._database.transaction() as session:
            equity = EquityRepository(session)
            days, flows = equity.days(account), equity.flows(account)
        return curve_of(days, flows)


def curve_of(days: list[EquityDay], flows: list[CashFlow]) -> CurveMetrics | None:
    """Metrics of the equity at the end of each day; deposits and withdrawals after the first day's start are no gain.

    Args:
        days: figures by day, oldest first; those whose equity is unknown are left out.
        flows: what went in (positive) or out, of any time.
    """
    known = [(day.day, day.as_of, day.equity_usd) for day in days if day.equity_usd is not None]
    if not known or days[0].start_net_liquidation_usd is None:
        return None
    begins = days[0].day
    later = [flow for flow in flows if flow.at.date() > begins]
    adjusted = [
        equity - sum((flow.amount_usd for flow in later if flow.at <= as_of), ZERO) for _, as_of, equity in known
    ]
    curve = EquityCurve(tuple(day for day, _, _ in known), tuple(adjusted), ())
    return measure_curve(days[0].start_net_liquidation_usd, curve, 0.0)


def _result(trade: ClosedTrade) -> ResultTrade | None:
    """A closed trade as the metrics take it, None when its result is unknown.

    Its legs, its value at entry and its worst mark are not asked for by the metrics that are shown here.
    """
    if trade.gross_pnl is None or trade.commissions is None:
        return None
    return ResultTrade(
        id=trade.id,
        strategy=trade.strategy,
        account=trade.account,
        symbol=trade.symbol,
        direction=Direction(trade.direction),
        opened_at=trade.opened_at,
        closed_at=trade.closed_at,
        legs=(),
        exit_reason=trade.exit_reason or ExitReason.OTHER,
        gross_pnl=trade.gross_pnl,
        commissions=trade.commissions,
        max_gain=trade.max_gain or ZERO,
        max_loss=ZERO,
        exposure=ZERO,
        config_hash=trade.config_hash,
    )


_SHOWN = [one.name for one in fields(PerformanceView)]
_OF_TRADES = [name for name in _SHOWN if name in TradeMetrics.__dataclass_fields__ and name != "trades"]
_OF_CURVE = [name for name in _SHOWN if name in CurveMetrics.__dataclass_fields__ or hasattr(CurveMetrics, name)]


def _of_trades(metrics: TradeMetrics | None, gains: list[Decimal | None]) -> dict[str, Any]:
    if metrics is None:
        return dict.fromkeys(_OF_TRADES)
    if None in gains:
        metrics = replace(metrics, average_max_gain=None)
    return {name: getattr(metrics, name) for name in _OF_TRADES}


def _of_curve(metrics: CurveMetrics | None) -> dict[str, Any]:
    if metrics is None:
        return {**dict.fromkeys(_OF_CURVE), "sessions": 0}
    return {name: getattr(metrics, name) for name in _OF_CURVE}
