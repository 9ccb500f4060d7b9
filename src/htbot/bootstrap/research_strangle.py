"""Composition root of backtests of long single options."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from htbot.backtest.limits import number_above_0
from htbot.backtest.result import BacktestResult
from htbot.backtest.spread_report import RunFacts
from htbot.backtest.strangle_report import strangle_result
from htbot.backtest.strangle_request import StrangleRequest
from htbot.backtest.strangle_run import run_strangle
from htbot.bootstrap.research_market import market_of, world_of
from htbot.bootstrap.research_options import BacktestOptions
from htbot.domain.errors import ConfigurationError
from htbot.settings import Settings
from htbot.strategies.registry import Entry

_LIMIT = "risk_per_day_usd"


def backtest_strangle(
    entry: Entry, options: BacktestOptions, settings: Settings, progress: Callable[[float], None]
) -> BacktestResult:
    """Run a backtest of strategy 2; the options have been looked at.

    Raises:
        ConfigurationError: settings, limits or data that cannot be used.
    """
    began = time.perf_counter()
    strange = next((name for name in options.limits if name != _LIMIT), None)
    if strange is not None:
        raise ConfigurationError(f"unknown limit {strange}: long options know {_LIMIT}")
    if options.fill != "book":
        raise ConfigurationError(f"--fill {options.fill}: an option has quotes and no bar to fill at; use book")
    config = entry.config.from_mapping({**options.settings, "symbol": options.symbol})
    given = options.limits.get(_LIMIT)
    request = StrangleRequest(
        strategy=entry.strategy(config),
        market=market_of(options, settings),
        risk_per_day_usd=settings.max_risk_per_day_usd if given is None else number_above_0(_LIMIT, given),
        first=options.start,
        last=options.end,
        cash_usd=options.cash,
    )
    result = run_strangle(request, progress)
    limits = f"one entry per side and session, the premium cap, USD {request.risk_per_day_usd} paid a day, buying power"
    facts = RunFacts(
        config=config.as_fields(),
        data=tuple(os.fspath(path) for path in options.data),
        limits=f"{limits}; the gate of live trading judges credit spreads and was not asked",
        market=world_of(options),
        wall_s=time.perf_counter() - began,
    )
    return strangle_result(result, request, facts)
