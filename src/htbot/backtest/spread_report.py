"""A finished run of an option strategy in the shape that every backtest hands out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from htbot.backtest.result import BacktestResult, ResultLeg, ResultTrade
from htbot.backtest.spread_request import SpreadRequest, SpreadResult
from htbot.backtest.spread_trades import SpreadTrade
from htbot.domain.decisions import RiskRefusal
from htbot.domain.orders import ExitReason
from htbot.domain.signals import Direction

WHY_EVENTS = "options"
_ZERO = Decimal(0)
_MULTIPLIER = 100


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run does not know of itself: settings and data as they were given, and how long it took."""

    config: Mapping[str, object]
    data: tuple[str, ...]
    limits: str
    market: str
    wall_s: float


def backtest_result(result: SpreadResult, request: SpreadRequest, facts: RunFacts) -> BacktestResult:
    """The result as metrics, JSON, CSV and the page read it."""
    return BacktestResult(
        strategy=result.strategy,
        config_hash=result.config_hash,
        config=facts.config,
        symbol=result.symbol,
        data=facts.data,
        bars=len(result.bars),
        trades=tuple(result_trade(trade) for trade in result.trades),
        curve=result.curve,
        cash=request.terms.cash_usd,
        assumptions=_assumptions(result, request, facts),
        engine="events",
        why_not=WHY_EVENTS,
        wall_s=facts.wall_s,
        refusals=refusals_of(result),
        modelled_share=None if result.modelled_share is None else float(result.modelled_share),
    )


def refusals_of(result: SpreadResult) -> dict[str, int]:
    """Signals that did not become an entry, by the rule that refused them; the most frequent first."""
    decisions = [one.decision for one in result.signals]
    counted = Counter(decision.refused_by.rule for decision in decisions if isinstance(decision, RiskRefusal))
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def result_trade(trade: SpreadTrade) -> ResultTrade:
    """One trade. The exit is a price that was seen too, so that no trade ends outside of its best and worst."""
    detail = "" if trade.max_gain is not None and trade.max_loss is not None else "no believable price while open"
    known = [trade.gross_pnl, *(one for one in (trade.max_gain, trade.max_loss) if one is not None)]
    return ResultTrade(
        id=trade.id,
        strategy=trade.strategy,
        account=trade.account,
        symbol=trade.symbol,
        direction=Direction(trade.direction),
        opened_at=trade.opened_at,
        closed_at=trade.closed_at,
        legs=tuple(
            ResultLeg(leg.symbol, leg.side, leg.quantity, leg.fill, leg.exit_fill, leg.expiry, leg.strike, leg.right)
            for leg in trade.legs
        ),
        exit_reason=ExitReason(trade.exit_reason),
        gross_pnl=trade.gross_pnl,
        commissions=trade.commissions,
        max_gain=max(known),
        max_loss=min(known),
        exposure=max((trade.width or _ZERO) - trade.credit, _ZERO) * _MULTIPLIER * trade.quantity,
        config_hash=trade.config_hash,
        detail=detail,
        credit=None if trade.width is None else trade.credit,
        debit=None if trade.width is None else trade.debit,
    )


def _assumptions(result: SpreadResult, request: SpreadRequest, facts: RunFacts) -> dict[str, str]:
    fills, path, model, expiry, faultless = result.assumptions
    terms = request.terms
    told = {
        "market": facts.market,
        "fills": f"{request.fill}: {fills}; an order takes {terms.latency_s:g} s to the exchange",
        "path": path,
        "prices": model,
        "expiry": expiry,
        "commissions": f"IB's {terms.plan.value} plan for US options, with exchange fees where the plan has them",
        "account": f"a margin account of USD {terms.cash_usd}; {faultless}",
        "limits": facts.limits,
        "exposure": "of a trade: the most that it could lose at its entry",
    }
    if result.halts:
        told["breaker"] = f"tripped {len(result.halts)} times, first at {result.halts[0]}"
    return told
