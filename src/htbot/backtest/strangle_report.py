"""A finished run of strategy 2 in the shape that every backtest hands out."""

from __future__ import annotations

from htbot.backtest.result import BacktestResult
from htbot.backtest.spread_report import WHY_EVENTS, RunFacts
from htbot.backtest.spread_run import ASSUMPTIONS
from htbot.backtest.strangle_request import StrangleRequest
from htbot.backtest.strangle_run import StrangleResult


def strangle_result(result: StrangleResult, request: StrangleRequest, facts: RunFacts) -> BacktestResult:
    """The result as metrics, JSON, CSV and the page read it."""
    strategy = request.strategy
    _fills, path, model, expiry, faultless = ASSUMPTIONS
    return BacktestResult(
        strategy=strategy.name,
        config_hash=strategy.config_hash,
        config=facts.config,
        symbol=strategy.config.symbol,
        data=facts.data,
        bars=result.bars,
        trades=result.trades,
        curve=result.curve,
        cash=request.cash_usd,
        assumptions={
            "market": facts.market,
            "fills": "book: bought at the ask, sold at the bid, by the paper gateway's rules; "
            f"an order takes {request.latency_s:g} s to the exchange and is good for 30 s",
            "bids": "bars of bids are made of the bids at every instant that is played",
            "path": path,
            "prices": model,
            "expiry": expiry,
            "commissions": f"IB's {request.plan.value} plan for US options",
            "account": f"a margin account of USD {request.cash_usd}; {faultless}",
            "limits": facts.limits,
            "exposure": "of a trade: what was paid, the most that it could lose",
        },
        engine="events",
        why_not=WHY_EVENTS,
        wall_s=facts.wall_s,
        refusals=dict(sorted(result.refusals.items())),
        modelled_share=result.modelled_share,
    )
