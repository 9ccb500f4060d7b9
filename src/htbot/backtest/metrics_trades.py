"""What the trades say: wins and losses, net of commissions, in order of their exit. Unknown is None.

A winner has a net P&L above zero, a loser one below; a trade of exactly zero is neither and ends both kinds of streak.
Sums are exact, averages of money are rounded to the cent (half even).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from statistics import fmean

from htbot.backtest.result import ResultTrade

CENT = Decimal("0.01")
ZERO = Decimal(0)


@dataclass(frozen=True)
class TradeMetrics:
    """Metrics of the closed trades; losses are negative."""

    trades: int
    winners: int
    losers: int
    net_profit: Decimal
    gross_pnl: Decimal
    commissions: Decimal
    profit_factor: float | None
    win_rate: float | None
    expectancy: Decimal | None
    payoff_ratio: float | None
    average_win: Decimal | None
    average_loss: Decimal | None
    largest_win: Decimal | None
    largest_loss: Decimal | None
    wins_in_a_row: int
    losses_in_a_row: int
    average_duration_s: float | None
    average_max_gain: Decimal | None
    average_max_loss: Decimal | None


def measure_trades(trades: Sequence[ResultTrade]) -> TradeMetrics:
    """Every metric of the trades.

    With W the net P&L of the winners and L that of the losers: profit factor = sum W / -sum L, win rate = number W /
    trades, expectancy = net profit / trades, payoff ratio = mean W / -mean L (definitions of V. Tharp, 'Trade Your Way
    to Financial Freedom', and of P. J. Kaufman, 'Trading Systems and Methods').
    """
    results = [trade.net_pnl for trade in sorted(trades, key=lambda trade: trade.closed_at)]
    wins = [one for one in results if one > 0]
    losses = [one for one in results if one < 0]
    won, lost = sum(wins, ZERO), sum(losses, ZERO)
    return TradeMetrics(
        trades=len(results),
        winners=len(wins),
        losers=len(losses),
        net_profit=sum(results, ZERO),
        gross_pnl=sum((trade.gross_pnl for trade in trades), ZERO),
        commissions=sum((trade.commissions for trade in trades), ZERO),
        profit_factor=float(won / -lost) if losses else None,
        win_rate=len(wins) / len(results) if results else None,
        expectancy=mean_money(results),
        payoff_ratio=float((won / len(wins)) / (-lost / len(losses))) if wins and losses else None,
        average_win=mean_money(wins),
        average_loss=mean_money(losses),
        largest_win=max(wins, default=None),
        largest_loss=min(losses, default=None),
        wins_in_a_row=_longest_streak(one > 0 for one in results),
        losses_in_a_row=_longest_streak(one < 0 for one in results),
        average_duration_s=fmean(trade.duration_s for trade in trades) if trades else None,
        average_max_gain=mean_money([trade.max_gain for trade in trades]),
        average_max_loss=mean_money([trade.max_loss for trade in trades]),
    )


def mean_money(amounts: Sequence[Decimal]) -> Decimal | None:
    """The mean to the cent; None of nothing."""
    return (sum(amounts, ZERO) / len(amounts)).quantize(CENT) if amounts else None


def _longest_streak(hits: Iterable[bool]) -> int:
    return max((len(list(run)) for hit, run in groupby(hits) if hit), default=0)
