"""The trades by what they have in common. The groups of one table add up to all trades, to the last digit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.backtest.metrics_trades import ZERO, mean_money
from htbot.backtest.result import ResultTrade
from htbot.domain.sessions import NEW_YORK

PLAIN = "plain"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the trades; money is a sum."""

    key: str
    trades: int
    winners: int
    net_pnl: Decimal
    gross_pnl: Decimal
    commissions: Decimal

    @property
    def win_rate(self) -> float:
        """Winners of all trades of the group, which has at least one."""
        return self.winners / self.trades

    @property
    def average(self) -> Decimal:
        """Net P&L per trade, to the cent."""
        return mean_money([self.net_pnl / self.trades]) or ZERO


Groups = tuple[Group, ...]


@dataclass(frozen=True)
class GroupMetrics:
    """Tables of P&L. Hour and weekday are those of the entry, month (2022-08) that of the exit, all in New York.

    `by_dte` counts calendar days from entry to the earliest expiry of the legs, `plain` where nothing expires.
    """

    by_direction: Groups
    by_exit_reason: Groups
    by_hour: Groups
    by_weekday: Groups
    by_month: Groups
    by_dte: Groups
    by_symbol: Groups
    by_strategy: Groups


def measure_groups(trades: Sequence[ResultTrade]) -> GroupMetrics:
    """Every table; a group without trades is left out."""
    return GroupMetrics(
        by_direction=_table(trades, lambda trade: "long" if trade.direction > 0 else "short"),
        by_exit_reason=_table(trades, lambda trade: trade.exit_reason.value),
        by_hour=_table(trades, lambda trade: f"{_local(trade.opened_at).hour:02}"),
        by_weekday=_table(trades, lambda trade: WEEKDAYS[_local(trade.opened_at).weekday()], WEEKDAYS.index),
        by_month=_table(trades, lambda trade: f"{_local(trade.closed_at):%Y-%m}"),
        by_dte=_table(trades, _dte, lambda key: (key == PLAIN, 0 if key == PLAIN else int(key))),
        by_symbol=_table(trades, lambda trade: trade.symbol),
        by_strategy=_table(trades, lambda trade: trade.strategy),
    )


def _table(
    trades: Sequence[ResultTrade], key_of: Callable[[ResultTrade], str], order: Callable[[str], object] = str
) -> Groups:
    members: dict[str, list[ResultTrade]] = {}
    for trade in trades:
        members.setdefault(key_of(trade), []).append(trade)
    return tuple(_group(key, members[key]) for key in sorted(members, key=order))  # type: ignore[arg-type]


def _group(key: str, trades: Sequence[ResultTrade]) -> Group:
    return Group(
        key=key,
        trades=len(trades),
        winners=sum(1 for trade in trades if trade.net_pnl > 0),
        net_pnl=sum((trade.net_pnl for trade in trades), ZERO),
        gross_pnl=sum((trade.gross_pnl for trade in trades), ZERO),
        commissions=sum((trade.commissions for trade in trades), ZERO),
    )


def _dte(trade: ResultTrade) -> str:
    expiries = [leg.expiry for leg in trade.legs if leg.expiry is not None]
    return str((min(expiries) - _local(trade.opened_at).date()).days) if expiries else PLAIN


def _local(instant: datetime) -> datetime:
    return instant.astimezone(NEW_YORK)
