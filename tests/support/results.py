"""Finished backtests of a few trades, written out by hand or drawn by hypothesis."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from htbot.backtest.result import BacktestResult, EquityCurve, ResultLeg, ResultTrade
from htbot.domain.orders import ExitReason
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Direction

WEEK = tuple(date(2022, 3, day) for day in (7, 8, 9, 10, 11))
EQUITY = ("10100", "9898", "10392.9", "10392.9", "10081.113")  # +1 %, -2 %, +5 %, 0, -3 %


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A New York time in March 2022."""
    return datetime(2022, 3, day, hour, minute, tzinfo=NEW_YORK)


def a_trade(number: int, opened: datetime, closed: datetime, gross: str, **changes: Any) -> ResultTrade:
    """A trade of ten shares bought at 100, that costs two dollars."""
    leg = ResultLeg("SPY", "BUY", 10, Decimal(100), 100 + Decimal(gross) / 10)
    trade = ResultTrade(
        id=f"plain-{number}",
        strategy="plain_breakout",
        account="backtest",
        symbol="SPY",
        direction=Direction.BULL,
        opened_at=opened,
        closed_at=closed,
        legs=(leg,),
        exit_reason=ExitReason.TIME,
        gross_pnl=Decimal(gross),
        commissions=Decimal(2),
        max_gain=max(Decimal(gross), Decimal(0)) + 10,
        max_loss=min(Decimal(gross), Decimal(0)) - 10,
        exposure=Decimal(1000),
        config_hash="c0ffee",
    )
    return replace(trade, **changes)


def a_spread(number: int, opened: datetime, closed: datetime, gross: str, expiry: date, **changes: Any) -> ResultTrade:
    """A bull put spread that was sold for 9.15."""
    legs = (
        ResultLeg("SPX", "BUY", 1, Decimal("12.3"), Decimal("8.1"), expiry, Decimal(4110), "P"),
        ResultLeg("SPX", "SELL", 1, Decimal("21.45"), Decimal("13.2"), expiry, Decimal(4150), "P"),
    )
    terms = {"symbol": "SPX", "credit": Decimal("9.15"), "debit": Decimal("5.1"), "exposure": Decimal(4000)}
    return a_trade(number, opened, closed, gross, **{**terms, "legs": legs, **changes})


TRADES = (
    a_trade(1, at(7, 10), at(7, 11), "102", exit_reason=ExitReason.PROFIT_TARGET),
    a_trade(2, at(8, 10, 30), at(8, 11), "-200", exit_reason=ExitReason.STOP_LOSS, direction=Direction.BEAR),
    a_trade(3, at(9, 12), at(9, 15), "302", exit_reason=ExitReason.PROFIT_TARGET),
    a_trade(4, at(9, 13), at(9, 15), "197", direction=Direction.BEAR),
    a_trade(5, at(11, 10), at(11, 10, 30), "2"),
    a_trade(6, at(11, 11), at(11, 12), "-300", exit_reason=ExitReason.OTHER, detail="signal"),
)


def a_result(**changes: Any) -> BacktestResult:
    """A week in March: net +100, -202, +300, +195, 0, -302; 9.887 dollars less than the curve ends with."""
    result = BacktestResult(
        strategy="plain_breakout",
        config_hash="c0ffee",
        config={"quantity": 10, "stop_loss_usd": Decimal("200.0"), "exit_time": None},
        symbol="SPY",
        data=("spy_5m.parquet",),
        bars=390,
        trades=TRADES,
        curve=EquityCurve(WEEK, tuple(map(Decimal, EQUITY)), (419.4, 416.3, 427.4, 425.5, 420.1)),
        cash=Decimal(10_000),
        assumptions={"fill": "at the close of the bar that decided", "commissions": "1.00 per order"},
        engine="compiled",
        wall_s=0.25,
        refusals={"daily_loss": 3, "leverage": 1},
    )
    return replace(result, **changes)


@st.composite
def drawn_results(draw: st.DrawFn) -> BacktestResult:
    """Trades and a curve that need not belong together."""
    cents = st.integers(-100_000, 100_000).map(lambda amount: Decimal(amount) / 100)
    count = draw(st.integers(2, 25))
    first = date(2021, 12, 20)
    days = tuple(first + timedelta(days=step) for step in range(count))
    equity = tuple(draw(st.lists(cents.map(lambda change: 10_000 + change), min_size=count, max_size=count)))
    trades = []
    for number in range(draw(st.integers(0, 12))):
        opened = datetime(2021, 12, 20, 9, 30, tzinfo=NEW_YORK) + timedelta(minutes=draw(st.integers(0, 20_000)))
        closed = opened + timedelta(minutes=draw(st.integers(0, 3000)))
        more = {
            "gross_pnl": draw(cents),
            "exit_reason": draw(st.sampled_from(ExitReason)),
            "direction": draw(st.sampled_from(Direction)),
            "exposure": abs(draw(cents)),
            "symbol": draw(st.sampled_from(("SPY", "QQQ"))),
        }
        if draw(st.booleans()):
            trades.append(a_spread(number, opened, closed, "0", closed.date(), **more))
        else:
            trades.append(a_trade(number, opened, closed, "0", **more))
    curve = EquityCurve(days, equity, tuple(float(value) for value in equity))
    return a_result(trades=tuple(trades), curve=curve, cash=Decimal(10_000))
