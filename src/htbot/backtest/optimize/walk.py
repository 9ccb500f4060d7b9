"""What came of a search: the unseen windows joined to one result, beside what was seen where settings were chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from statistics import fmean

from htbot.backtest.optimize.drive import Entrant, FoldTrials, Plan
from htbot.backtest.optimize.trial import Settings
from htbot.backtest.optimize.windows import Fold
from htbot.backtest.result import BacktestResult, EquityCurve

NO_TRIAL = "no trial of this fold has the minimum of trades, or the metric is unknown for all of them"
IN_SAMPLE = (
    "IN SAMPLE ONLY (--split none): the settings were chosen on the very sessions that these figures are from; expect"
    " less of them on any other day"
)


@dataclass(frozen=True, slots=True)
class Optimized:
    """A finished search. `headline` is the unseen windows joined, without walk-forward the best trial's own result.

    `trials` counts those of the study file, also from earlier searches of it; `ran` were run by this command.
    `left_out` combinations are none that the strategy takes.
    """

    plan: Plan
    folds: tuple[FoldTrials, ...]
    headline: BacktestResult
    trials: int
    ran: int
    study: Path
    wall_s: float
    left_out: int = 0

    @property
    def walk_forward(self) -> bool:
        """False where nothing was left unseen."""
        return self.folds[0].fold.unseen is not None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Chosen settings where they were chosen and after it: means over the folds that have both.

    `kept` is the share of the net P&L per session that was left, None where there was none to keep.
    """

    metric_inside: float | None
    metric_outside: float | None
    net_inside: float | None
    net_outside: float | None

    @property
    def kept(self) -> float | None:
        """Net P&L per session, outside over inside."""
        if self.net_inside is None or self.net_outside is None or self.net_inside <= 0:
            return None
        return self.net_outside / self.net_inside

    @property
    def degradation(self) -> float | None:
        """The share of the net P&L per session that was lost; above 1, a gain became a loss."""
        return None if self.kept is None else 1 - self.kept


@dataclass(frozen=True, slots=True)
class Piece:
    """A fold's part of the joined result; without a `result` nothing was traded, and `curve` is flat."""

    curve: EquityCurve
    result: BacktestResult | None = None


def chosen(plan: Plan, fold: FoldTrials) -> Entrant | None:
    """The best trial of a fold, None when none is worth a choice."""
    best = fold.entrants[0] if fold.entrants else None
    return best if best is not None and plan.goal.score(best.train) is not None else None


def compare(plan: Plan, folds: Sequence[FoldTrials]) -> Comparison:
    """The chosen settings inside and outside."""
    pairs = [(fold.fold, entrant) for fold in folds if (entrant := chosen(plan, fold)) is not None]
    both = [(fold, one.train, one.unseen) for fold, one in pairs if one.unseen is not None]
    metric = plan.goal.metric
    known = [
        (before.values[metric], after.values[metric])
        for _, before, after in both
        if before.values[metric] is not None and after.values[metric] is not None
    ]
    nets = [
        (fold, net_before, net_after)
        for fold, before, after in both
        if (net_before := before.values["net_pnl"]) is not None and (net_after := after.values["net_pnl"]) is not None
    ]
    return Comparison(
        metric_inside=_mean([one for one, _ in known]),
        metric_outside=_mean([one for _, one in known]),
        net_inside=_a_session([(fold.train.sessions, before) for fold, before, _ in nets]),
        net_outside=_a_session([(_unseen_sessions(fold), after) for fold, _, after in nets]),
    )


def join(plan: Plan, folds: Sequence[FoldTrials], pieces: Sequence[Piece], trials: int) -> BacktestResult | None:
    """The unseen windows as one result, each with the settings that were chosen before it; None when none traded."""
    results = [piece.result for piece in pieces if piece.result is not None]
    if not results:
        return None
    last = results[-1]
    refusals: Counter[str] = Counter()
    for result in results:
        refusals.update(result.refusals)
    return replace(
        last,
        config_hash="per-window" if len({result.config_hash for result in results}) > 1 else last.config_hash,
        config=_config(plan, folds, last),
        bars=max(result.bars for result in results),
        trades=tuple(trade for result in results for trade in result.trades),
        curve=_joined(plan.ground.cash, [piece.curve for piece in pieces]),
        assumptions={**_assumptions(plan, folds, trials), **last.assumptions},
        wall_s=sum(result.wall_s for result in results),
        refusals=dict(refusals),
    )


def in_sample(result: BacktestResult, trials: int) -> BacktestResult:
    """The best trial's own result, told for what it is."""
    return replace(result, assumptions={"sample": f"{IN_SAMPLE}; best of {trials} trials", **result.assumptions})


def spelled(settings: Settings) -> str:
    """Settings in a line."""
    return " ".join(f"{name}={value or 'none'}" for name, value in settings)


def _joined(cash: Decimal, curves: Sequence[EquityCurve]) -> EquityCurve:
    """Each window goes on from where the one before it ended."""
    equity: list[Decimal] = []
    for curve in curves:
        base = (equity[-1] if equity else cash) - cash
        equity += [base + amount for amount in curve.equity]
    return EquityCurve(
        days=tuple(day for curve in curves for day in curve.days),
        equity=tuple(equity),
        prices=tuple(price for curve in curves for price in curve.prices),
    )


def _config(plan: Plan, folds: Sequence[FoldTrials], last: BacktestResult) -> Mapping[str, object]:
    told: dict[str, list[str]] = {}
    for fold in folds:
        entrant = chosen(plan, fold)
        for name, value in () if entrant is None else entrant.settings:
            told.setdefault(name, []).append(value or "none")
    searched = {
        name: values[0] if len(set(values)) == 1 else f"chosen per window: {', '.join(values)}"
        for name, values in told.items()
    }
    return {**last.config, **searched}


def _assumptions(plan: Plan, folds: Sequence[FoldTrials], trials: int) -> dict[str, str]:
    unseen = [fold.fold for fold in folds]
    anchored = len({fold.train.first for fold in unseen}) == 1 and len(unseen) > 1
    how = "all sessions before it" if anchored else f"the {unseen[0].train.sessions} sessions before it"
    idle = [str(fold.fold.number) for fold in folds if chosen(plan, fold) is None]
    told = {
        "sample": f"out of sample: {len(folds)} windows joined, each traded with the settings that were best by"
        f" {plan.goal.metric} on {how}; {trials} trials were looked at to choose them",
        "windows": f"each begins flat, with USD {plan.ground.cash}; what is held at its end counts at the last close",
    }
    if idle:
        told["idle windows"] = f"{', '.join(idle)}: nothing was traded; {NO_TRIAL}"
    return told


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _a_session(parts: Sequence[tuple[int, float]]) -> float | None:
    sessions = sum(count for count, _ in parts)
    if not sessions:
        return None
    return sum(net for _, net in parts) / sessions


def _unseen_sessions(fold: Fold) -> int:
    return 0 if fold.unseen is None else fold.unseen.sessions
