"""Wins and losses against numbers worked by hand, and against pandas."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from tests.support.results import TRADES, a_trade, at, drawn_results

from htbot.backtest.metrics_trades import TradeMetrics, measure_trades
from htbot.backtest.result import BacktestResult


def test_six_trades_worked_by_hand() -> None:
    six = measure_trades(TRADES)  # net +100, -202, +300, +195, 0, -302
    assert (six.trades, six.winners, six.losers) == (6, 3, 2)
    assert (six.net_profit, six.gross_pnl, six.commissions) == (Decimal(91), Decimal(103), Decimal(12))
    assert six.profit_factor == pytest.approx(595 / 504)
    assert six.win_rate == 0.5
    assert six.expectancy == Decimal("15.17")
    assert (six.average_win, six.average_loss) == (Decimal("198.33"), Decimal("-252.00"))
    assert six.payoff_ratio == pytest.approx((595 / 3) / 252)
    assert (six.largest_win, six.largest_loss) == (Decimal(300), Decimal(-302))
    assert (six.wins_in_a_row, six.losses_in_a_row) == (2, 1)
    assert six.average_duration_s == (60 + 30 + 180 + 120 + 30 + 60) * 60 / 6
    assert six.average_max_gain == Decimal("110.50")  # 112 + 10 + 312 + 207 + 12 + 10
    assert six.average_max_loss == Decimal("-93.33")  # -10 - 210 - 10 - 10 - 10 - 310


def test_without_trades_sums_are_zero_and_the_rest_unknown() -> None:
    none = measure_trades(())
    zeros = {field.name for field in fields(TradeMetrics) if getattr(none, field.name) == 0}
    assert zeros == {
        *("trades", "winners", "losers", "net_profit", "gross_pnl", "commissions"),
        *("wins_in_a_row", "losses_in_a_row"),
    }
    assert {getattr(none, field.name) for field in fields(TradeMetrics)} - {0} == {None}


def test_without_losses_the_profit_factor_is_unknown() -> None:
    won = measure_trades(TRADES[:1])
    assert (won.profit_factor, won.payoff_ratio, won.average_loss, won.largest_loss) == (None,) * 4
    assert won.win_rate == 1.0


def test_without_wins_it_is_nothing() -> None:
    lost = measure_trades(TRADES[1:2])
    assert (lost.profit_factor, lost.win_rate) == (0.0, 0.0)
    assert (lost.payoff_ratio, lost.average_win, lost.largest_win) == (None,) * 3


def test_streaks_follow_the_order_of_the_exits() -> None:
    late = a_trade(1, at(7, 10), at(9, 10), "50")
    lost = a_trade(2, at(7, 11), at(8, 10), "-50")
    early = a_trade(3, at(7, 12), at(7, 13), "50")
    assert measure_trades((late, lost, early)).wins_in_a_row == 1


@given(drawn_results())
def test_the_same_as_pandas(result: BacktestResult) -> None:
    ours = measure_trades(result.trades)
    net = pd.Series([float(trade.gross_pnl - trade.commissions) for trade in result.trades], dtype=float)
    won, lost = net[net > 0], net[net < 0]
    assert float(ours.net_profit) == pytest.approx(net.sum(), abs=1e-6)
    if len(lost):
        assert ours.profit_factor == pytest.approx(won.sum() / abs(lost.sum()))
        assert float(ours.average_loss or 0) == pytest.approx(lost.mean(), abs=0.0051)
    if len(won) and len(lost):
        assert ours.payoff_ratio == pytest.approx(won.mean() / abs(lost.mean()))
    if len(net):
        assert ours.win_rate == pytest.approx((net > 0).mean())
        ordered = [float(trade.net_pnl) for trade in sorted(result.trades, key=lambda trade: trade.closed_at)]
        sign = pd.Series(ordered) > 0
        runs = sign.groupby((sign != sign.shift()).cumsum()).sum()
        assert ours.wins_in_a_row == runs.max()


@given(drawn_results())
def test_expectancy_is_what_win_rate_and_averages_say(result: BacktestResult) -> None:
    ours = measure_trades(result.trades)
    if ours.trades and ours.average_win is not None and ours.average_loss is not None:
        said = (ours.average_win * ours.winners + ours.average_loss * ours.losers) / ours.trades
        assert ours.expectancy == pytest.approx(said, abs=Decimal("0.02"))
