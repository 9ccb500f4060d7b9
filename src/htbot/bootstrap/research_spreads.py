"""Composition root of backtests of strategies on options: settings, data and limits become a `SpreadRequest`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from htbot.backtest.limits import Readers, read_limits, whole
from htbot.backtest.result import BacktestResult
from htbot.backtest.spread_report import RunFacts, backtest_result
from htbot.backtest.spread_request import SpreadRequest
from htbot.backtest.spread_run import run_spreads
from htbot.backtest.terms import Terms
from htbot.bootstrap.desk import history_days
from htbot.bootstrap.limits import breaker_limits, spread_limits
from htbot.bootstrap.research_market import market_of, require_possible, world_of
from htbot.bootstrap.research_options import BacktestOptions
from htbot.domain.sessions import NEW_YORK
from htbot.market.ports import Market
from htbot.risk.breaker import BreakerLimits
from htbot.risk.limits import Limits
from htbot.settings import Settings
from htbot.strategies.base import Strategy
from htbot.strategies.registry import Entry

Progress = Callable[[float], None]
_PERCENT = Decimal(100)


def backtest_options(
    entry: Entry, options: BacktestOptions, settings: Settings, progress: Progress = lambda _fraction: None
) -> BacktestResult:
    """Run a backtest of a strategy on options.

    Raises:
        ConfigurationError: data, settings, limits or options that cannot be used; one line each.
    """
    began = time.perf_counter()
    require_possible(options)
    config = entry.config.from_mapping({**options.settings, "symbol": options.symbol})
    strategy: Strategy[Any] = entry.strategy(config)
    market = market_of(options, settings)
    request = request_of(strategy, options, market, settings)
    result = run_spreads(request, progress)
    facts = RunFacts(
        config=config.as_fields(),
        data=tuple(os.fspath(path) for path in options.data),
        limits=_told(request, options),
        market=world_of(options),
        wall_s=time.perf_counter() - began,
    )
    return backtest_result(result, request, facts)


def request_of(strategy: Strategy[Any], options: BacktestOptions, market: Market, settings: Settings) -> SpreadRequest:
    """The run: limits of the settings with what was given in front, target and stop of the strategy itself."""
    sessions = market.sessions.all()
    first = options.start or market.start.astimezone(NEW_YORK).date()
    place = next(number for number, session in enumerate(sessions) if session.day >= first)
    limits, breaker = with_limits(spread_limits(settings, strategy), breaker_limits(settings), options.limits)
    # The made-up market has years of history: a live desk asks for the sessions that fill its indicators.
    needs = strategy.needs
    earlier = sessions[max(0, place - history_days(needs.bar_minutes, needs.warm_up_bars))]
    return SpreadRequest(
        strategy=strategy,
        terms=Terms(
            market=market,
            first=first,
            last=options.end,
            cash_usd=options.cash,
            breaker=breaker,
            flatten_on_trip=settings.risk.breaker_flatten,
        ),
        limits=limits,
        fill=options.fill,
        history_from=None if options.data else earlier.opens,
    )


# --- limits -----------------------------------------------------------------------------------------------------------

_NAMES: Readers = {
    "order_quantity": ("max_order_quantity", whole),
    "order_notional_usd": ("max_order_notional_usd", Decimal),
    "leverage": ("max_leverage", Decimal),
    "entries_per_day": ("max_entries_per_day", whole),
    "daily_loss_usd": ("strategy_daily_loss_limit_usd", Decimal),
    "drawdown_pct": ("max_drawdown_fraction", lambda value: value / _PERCENT),
    "risk_per_day_usd": ("max_risk_per_day_usd", Decimal),
    "minimum_credit": ("minimum_credit", Decimal),
}


def with_limits(limits: Limits, breaker: BreakerLimits, wanted: Mapping[str, str]) -> tuple[Limits, BreakerLimits]:
    """Limits of the gate and of the breaker with those that a person gave.

    Raises:
        ConfigurationError: an unknown name, or a value that does not fit.
    """
    changes = read_limits(wanted, _NAMES)
    if "strategy_daily_loss_limit_usd" in changes:
        loss = changes["strategy_daily_loss_limit_usd"]
        changes["account_daily_loss_limit_usd"] = max(loss, limits.account_daily_loss_limit_usd)
        breaker = replace(breaker, daily_loss_usd=changes["account_daily_loss_limit_usd"])
    if "max_drawdown_fraction" in changes:
        breaker = replace(breaker, drawdown_fraction=changes["max_drawdown_fraction"])
    return replace(limits, **changes), breaker


def _told(request: SpreadRequest, options: BacktestOptions) -> str:
    """The limits that most often decide, with their values, and those that were given."""
    limits = request.limits
    told = [
        f"{limits.max_entries_per_day} entries a day",
        f"USD {limits.max_risk_per_day_usd} at risk a day",
        f"USD {limits.strategy_daily_loss_limit_usd} daily loss",
        f"{limits.max_order_quantity} spreads an order",
    ]
    given = [f"{name}={value}" for name, value in options.limits.items()]
    return f"the gate of live trading as it is set: {', '.join(told)}" + (
        f"; given: {', '.join(given)}" if given else ""
    )
