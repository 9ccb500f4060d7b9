"""Tables of P&L, each of which adds up."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from tests.support.results import TRADES, a_spread, a_trade, at, drawn_results

from htbot.backtest.metrics_groups import Group, GroupMetrics, measure_groups
from htbot.backtest.result import BacktestResult

SPREADS = (
    a_spread(7, at(7, 10), at(7, 11), "402", date(2022, 3, 7)),
    a_spread(8, at(7, 10), at(8, 11), "102", date(2022, 3, 17)),
    a_spread(9, at(7, 10), at(8, 11), "102", date(2022, 3, 9)),
)


def keys(groups: tuple[Group, ...]) -> list[str]:
    return [group.key for group in groups]


def test_tables_of_six_trades() -> None:
    six = measure_groups(TRADES)
    assert six.by_exit_reason == (
        Group("other", 1, 0, Decimal(-302), Decimal(-300), Decimal(2)),
        Group("profit_target", 2, 2, Decimal(400), Decimal(404), Decimal(4)),
        Group("stop_loss", 1, 0, Decimal(-202), Decimal(-200), Decimal(2)),
        Group("time", 2, 1, Decimal(195), Decimal(199), Decimal(4)),
    )
    assert [(group.key, group.trades, group.net_pnl) for group in six.by_direction] == [
        ("long", 4, Decimal(98)),
        ("short", 2, Decimal(-7)),
    ]
    assert keys(six.by_hour) == ["10", "11", "12", "13"]
    assert keys(six.by_weekday) == ["Monday", "Tuesday", "Wednesday", "Friday"]
    assert (keys(six.by_month), keys(six.by_dte), keys(six.by_symbol)) == (["2022-03"], ["plain"], ["SPY"])
    assert (six.by_exit_reason[3].win_rate, six.by_exit_reason[3].average) == (0.5, Decimal("97.50"))


def test_days_to_expiry_are_in_order_of_number() -> None:
    both = measure_groups((*SPREADS, *TRADES))
    assert [(group.key, group.trades) for group in both.by_dte] == [("0", 1), ("2", 1), ("10", 1), ("plain", 6)]
    assert keys(both.by_symbol) == ["SPX", "SPY"]


def test_hours_and_months_are_those_of_new_york() -> None:
    late = a_trade(1, datetime(2022, 4, 1, 2, tzinfo=UTC), datetime(2022, 4, 1, 3, tzinfo=UTC), "10")
    table = measure_groups((late,))
    assert (keys(table.by_hour), keys(table.by_month), keys(table.by_weekday)) == (["22"], ["2022-03"], ["Thursday"])


@given(drawn_results())
def test_every_table_adds_up_to_the_cent(result: BacktestResult) -> None:
    tables = measure_groups(result.trades)
    for field in fields(GroupMetrics):
        groups = getattr(tables, field.name)
        assert sum(group.net_pnl for group in groups) == sum(trade.net_pnl for trade in result.trades), field.name
        assert sum(group.commissions for group in groups) == sum(trade.commissions for trade in result.trades)
        assert sum(group.trades for group in groups) == len(result.trades)
        assert all(group.net_pnl == group.gross_pnl - group.commissions for group in groups)
        assert len(set(keys(groups))) == len(groups)
