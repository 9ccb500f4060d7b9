"""`htbot parity`: a day through the real stack and through the backtest, held against each other.

The day is stepped, so nothing is tolerated: what could make the two differ is removed, or is an input of the backtest
that is taken from the stack and named in the report.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from htbot.backtest.parity_compare import compare
from htbot.backtest.spread_parity import rows_of_result
from htbot.backtest.spread_request import SpreadRequest, SpreadResult
from htbot.backtest.spread_run import run_spreads
from htbot.bootstrap.demo import DemoOptions, DemoResult, Progress, quiet
from htbot.bootstrap.demo import run as run_demo
from htbot.bootstrap.limits import breaker_limits, risk_limits
from htbot.bootstrap.paper import build_market
from htbot.bootstrap.paper_options import options_of
from htbot.bootstrap.strategy import STRATEGY_NAME, build_strategy
from htbot.domain.errors import ConfigurationError
from htbot.persistence.codecs import plain
from htbot.strategies.registry import create

# In step with its clients the gateway lets an order look at the market of the instant at which it was sent.
STEPPED_LATENCY_S = 0.0


@dataclass(frozen=True, slots=True)
class ParityOptions:
    """The options of `htbot parity`."""

    strategy: str = STRATEGY_NAME
    day: date | None = None
    data: tuple[Path, ...] = ()
    symbol: str = "SPX"
    seed: int = 7
    bar: str | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What came of it; `summary` has INTERFACE's shape and more."""

    identical: bool
    summary: dict[str, Any]


def run(options: ParityOptions, progress: Progress = quiet) -> ParityReport:
    """Play the day both ways, from the main thread.

    Raises:
        NotFound: no strategy has this name.
        ConfigurationError: a strategy that the stack does not run; data, date or symbol that cannot be run with.
        DemoFailed: the stack's day did not come to its end.
    """
    create(options.strategy)
    if options.strategy != STRATEGY_NAME:
        raise ConfigurationError(
            f"parity compares {STRATEGY_NAME} only: days of {options.strategy} cannot be held against a backtest yet"
        )
    played = run_demo(
        DemoOptions(
            data=options.data,
            day=options.day,
            symbol=options.symbol,
            seed=options.seed,
            bar=options.bar,
            environ=options.environ,
        ),
        progress,
    )
    return against_backtest(played)


def against_backtest(played: DemoResult) -> ParityReport:
    """Hold a day that the stack has played against a backtest of the same day."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="htbot-parity-") as folder:
        request = request_of(played, Path(folder))
        return report(played, request, run_spreads(request), time.monotonic() - began)


def request_of(played: DemoResult, folder: Path) -> SpreadRequest:
    """The backtest of a played day: same settings, same world; what only the run could know comes from its record."""
    settings, session = played.settings, played.session
    options = replace(options_of(settings), calendar_dir=folder)
    return SpreadRequest(
        strategy=build_strategy(settings),
        market=build_market(options, options.start),
        limits=risk_limits(settings, settings.strategy.symbol),
        first=session.day,
        last=session.day,
        account=played.record.account,
        cash_usd=options.cash,
        breaker=breaker_limits(settings),
        flatten_on_trip=settings.risk.breaker_flatten,
        rules=options.book.fills,
        plan=options.terms.plan,
        latency_s=STEPPED_LATENCY_S,
        history_from=played.record.history_from,
        enabled_after=session.opens,
    )


def report(played: DemoResult, request: SpreadRequest, result: SpreadResult, wall_s: float) -> ParityReport:
    """Compare, and say what was compared."""
    comparison = compare(played.record.rows, rows_of_result(result), played.session)
    summary = {
        "strategy": result.strategy,
        "symbol": result.symbol,
        "date": played.session.day,
        "identical": comparison.identical,
        "compared": comparison.compared,
        "divergence": None if comparison.divergence is None else asdict(comparison.divergence),
        "pnl": {
            "stack": played.summary["pnl"],
            "backtest": {"gross": result.gross_pnl, "commissions": result.commissions, "net": result.net_pnl},
        },
        "inputs": _inputs(request),
        "modelled_share": result.modelled_share,
        "wall_s": {"stack": played.summary["wall_s"], "backtest": round(wall_s, 1)},
    }
    return ParityReport(comparison.identical, plain(summary))


def _inputs(request: SpreadRequest) -> dict[str, Any]:
    """What could make the two differ, as the backtest was given it."""
    return {
        "world": request.market.world_id,
        "account": request.account,
        "cash_usd": request.cash_usd,
        "config_hash": request.strategy.config_hash,
        "history_from": request.history_from,
        "enabled_after": request.enabled_after,
        "latency_s": request.latency_s,
        "plan": request.plan.value,
        "slippage_ticks": request.rules.slippage_ticks,
        "touch_share": request.rules.touch_share,
        "sizes_limit": request.rules.sizes_limit,
    }
