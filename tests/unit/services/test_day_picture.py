from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from htbot.persistence.queries.marks import MarkedPnl
from htbot.services.day_picture import equity_of, points_of

T0 = datetime(2026, 3, 3, 15, tzinfo=UTC)


@dataclass
class Trade:
    """What the curve needs of a trade."""

    id: str
    opened_at: datetime
    closed_at: datetime | None = None
    net_pnl: Decimal | None = None
    direction: int = 1
    exit_reason: str | None = None
    symbol: str = "SPX"


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def curve(trades: list[Any], marks: list[tuple[str, float, str | None]]) -> list[tuple[float, str | None]]:
    marked = [MarkedPnl(name, at(minutes), None if pnl is None else Decimal(pnl)) for name, minutes, pnl in marks]
    return [
        ((point.at - T0).total_seconds() / 60, None if point.pnl is None else f"{point.pnl:.0f}")
        for point in equity_of(trades, marked, {})
    ]


def test_what_is_closed_counts_net_and_what_is_open_at_mid() -> None:
    trades = [Trade("a", at(0), at(3), Decimal(100)), Trade("b", at(4))]
    marks = [("a", 1, "50"), ("a", 2, "90"), ("b", 5, "-30")]
    assert curve(trades, marks) == [(1, "50"), (2, "90"), (3, "100"), (5, "70")]


def test_of_what_was_held_over_night_only_the_change_since_its_last_mark_counts() -> None:
    marks = [MarkedPnl("a", at(minutes), Decimal(pnl)) for minutes, pnl in ((1, 25), (2, 70))]
    trades: list[Any] = [Trade("a", at(-90), at(3), Decimal(58))]
    assert [point.pnl for point in equity_of(trades, marks, {"a": Decimal(40)})] == [-15, 30, 18]
    assert {point.pnl for point in equity_of(trades, marks, {"a": None})} == {None}, "it had no mark"


def test_a_mark_after_the_close_changes_nothing() -> None:
    assert curve([Trade("a", at(0), at(3), Decimal(100))], [("a", 3, "7"), ("a", 4, "8")]) == [(3, "100")]


def test_two_open_trades_add_up_at_each_instant() -> None:
    trades = [Trade("a", at(0)), Trade("b", at(0))]
    assert curve(trades, [("a", 1, "10"), ("b", 1, "5"), ("a", 2, "20")]) == [(1, "15"), (2, "25")]


def test_an_unknown_part_makes_the_sum_unknown_until_it_is_known() -> None:
    trades = [Trade("a", at(0)), Trade("b", at(0))]
    marks = [("a", 1, "10"), ("b", 2, None), ("b", 3, "1")]
    assert curve(trades, marks) == [(1, "10"), (2, None), (3, "11")]
    assert curve([Trade("a", at(0), at(1), None)], []) == [(1, None)]


def test_entries_and_exits_are_in_order_of_time() -> None:
    trades: list[Any] = [Trade("a", at(0), at(9), Decimal(1), exit_reason="stop_loss"), Trade("b", at(4))]
    assert [(point.kind, point.trade_id, point.symbol) for point in points_of(trades)] == [
        ("entry", "a", "SPX"),
        ("entry", "b", "SPX"),
        ("exit", "a", "SPX"),
    ]
