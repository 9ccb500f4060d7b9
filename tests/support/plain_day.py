"""Backtests of strategies on shares as the desk trades them: small worlds, wide limits, moving averages that cross."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from tests.support.breakout_world import limits_of
from tests.support.spread_day import CALENDAR, DAY, changed, in_step

from htbot.backtest.day_loop import play_days
from htbot.backtest.plain_request import PlainRequest, PlainResult, Seat
from htbot.backtest.plain_run import PlainRun
from htbot.domain.sessions import Session
from htbot.engine.share_entries import hours_of
from htbot.market.replay import ReplayMarket
from htbot.risk.breaker import BreakerLimits
from htbot.risk.limits import Limits
from htbot.strategies.bar_strategy import BarConfig
from htbot.strategies.registry import create_bar

_FOUND = CALENDAR.on(DAY)
assert _FOUND is not None
SESSION: Session = _FOUND
"""A half day."""
CROSSING: Mapping[str, object] = {
    "short_window": 2,
    "long_window": 5,
    "allow_short": True,
    "exit_time": "12:40",
    "quantity": 20,
    "stop_loss_usd": "15",
    "profit_target_usd": "12",
}


def wide(config: BarConfig, **chosen: Any) -> Limits:
    """Limits that do not bind, but for those that are chosen."""
    limits = limits_of("SPY")
    some = {
        "max_order_quantity": 100_000,
        "max_order_notional_usd": Decimal(10_000_000),
        "max_position_size_usd": Decimal(10_000_000),
        "max_single_position_fraction": Decimal(10),
        "max_symbol_exposure_fraction": Decimal(10),
        "weekly_trade_limit": 1000,
        "max_concurrent_trades": 50,
    }
    return replace(limits, hours=hours_of(config, limits.hours), **(some | chosen))


def seat(name: str, symbol: str = "SPY", kind: str = "ma_crossover", **settings: object) -> Seat:
    """A seat that enters from the open of the day on; what is set replaces what `CROSSING` says."""
    return Seat(name, symbol, partial(create_bar, kind, dict(CROSSING) | settings), None, SESSION.opens)


def request(market: ReplayMarket, *seats: Seat, **chosen: Any) -> PlainRequest:
    """The half day, in step, with account values that are told at once."""
    terms = replace(in_step(market), breaker=BreakerLimits(daily_loss_usd=Decimal(1_000_000)))
    return changed(PlainRequest(seats or (seat("fast"),), terms, wide), **chosen)


def play(request: PlainRequest) -> PlainResult:
    """Play the days of a request."""
    run = PlainRun(request)
    return run.result(play_days(request.terms, run))
