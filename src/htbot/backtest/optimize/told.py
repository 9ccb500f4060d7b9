"""A finished search for people and for scripts: facts, rows of tables, JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from htbot.backtest.export import as_json as result_json
from htbot.backtest.figures import money, percent, ratio
from htbot.backtest.metrics import measure
from htbot.backtest.optimize.drive import Entrant, FoldTrials
from htbot.backtest.optimize.goal import outcome_of
from htbot.backtest.optimize.trial import TrialOutcome
from htbot.backtest.optimize.walk import IN_SAMPLE, Comparison, Optimized, chosen, compare, spelled
from htbot.backtest.optimize.windows import Window

_MONEY = frozenset({"net_pnl", "expectancy"})
_SHARES = frozenset({"cagr", "max_drawdown", "win_rate"})

FOLD_COLUMNS = (
    "fold",
    "chosen on",
    "unseen",
    "trials",
    "chosen settings",
    "in sample",
    "unseen",
    "net unseen",
    "trades",
)


def facts(optimized: Optimized) -> list[tuple[str, str]]:
    """The result in lines: the joined unseen windows first, then what it was in sample."""
    metric = optimized.plan.goal.metric
    headline = outcome_of(optimized.headline)
    told = [("result", _sample(optimized)), ("trials", trials_told(optimized))]
    if not optimized.walk_forward:
        best = optimized.folds[0].entrants[0]
        told.append(("settings", spelled(best.settings)))
    told += [
        (metric, figure(metric, headline.values[metric])),
        ("net P&L", figure("net_pnl", headline.values["net_pnl"])),
        ("max drawdown", figure("max_drawdown", headline.values["max_drawdown"])),
        ("trades", str(headline.trades)),
    ]
    if optimized.walk_forward:
        told += _compared(metric, compare(optimized.plan, optimized.folds))
    told += [("engine", _engine(optimized)), ("study", str(optimized.study)), ("took", f"{optimized.wall_s:.1f} s")]
    return told


def trials_told(optimized: Optimized) -> str:
    """How many were looked at: the more of them, the better the best one looks by chance."""
    folds = len(optimized.folds)
    each = f" in {folds} folds" if folds > 1 else ""
    words = f"best of {optimized.trials} trials{each}; {optimized.ran} run now"
    left_out = f", {optimized.left_out} combinations left out: the strategy does not take them"
    return words + (left_out if optimized.left_out else "")


def fold_rows(optimized: Optimized) -> Iterator[tuple[str, ...]]:
    """One row per fold, for `FOLD_COLUMNS`."""
    metric = optimized.plan.goal.metric
    for trials in optimized.folds:
        fold, best = trials.fold, chosen(optimized.plan, trials)
        after = None if best is None else best.unseen
        yield (
            str(fold.number),
            window(fold.train),
            window(fold.unseen),
            str(len(trials.entrants)),
            "none" if best is None else spelled(best.settings),
            figure(metric, None if best is None else best.train.values[metric]),
            figure(metric, None if after is None else after.values[metric]),
            figure("net_pnl", None if after is None else after.values["net_pnl"]),
            "-" if after is None else str(after.trades),
        )


def trial_columns(optimized: Optimized) -> tuple[str, ...]:
    """Headings of `trial_rows`."""
    names = next((tuple(name for name, _ in one.settings) for fold in optimized.folds for one in fold.entrants), ())
    metric = optimized.plan.goal.metric
    shown = dict.fromkeys((metric, "net_pnl"))
    after = tuple(f"unseen {name}" for name in shown) if optimized.walk_forward else ()
    return ("fold", "rank", *names, *shown, "trades", *after)


def trial_rows(optimized: Optimized) -> Iterator[tuple[str, ...]]:
    """The best trials of each fold."""
    shown = tuple(dict.fromkeys((optimized.plan.goal.metric, "net_pnl")))
    for trials in optimized.folds:
        for rank, one in enumerate(trials.entrants[: optimized.plan.shown], 1):
            after = _figures(one.unseen, shown) if optimized.walk_forward else ()
            settings = (value or "none" for _, value in one.settings)
            yield (
                str(trials.fold.number),
                str(rank),
                *settings,
                *_figures(one.train, shown),
                str(one.train.trades),
                *after,
            )


def as_json(optimized: Optimized) -> dict[str, Any]:
    """Everything that was found; `result` has the shape of `htbot backtest --json`."""
    plan = optimized.plan
    comparison = compare(plan, optimized.folds)
    return {
        "strategy": plan.ground.strategy,
        "symbol": plan.ground.symbol,
        "metric": plan.goal.metric,
        "minimum_trades": plan.goal.minimum_trades,
        "walk_forward": optimized.walk_forward,
        "sample": "out of sample" if optimized.walk_forward else IN_SAMPLE,
        "trials": optimized.trials,
        "ran": optimized.ran,
        "left_out": optimized.left_out,
        "study": str(optimized.study),
        "wall_s": optimized.wall_s,
        "comparison": {
            "metric_in_sample": comparison.metric_inside,
            "metric_out_of_sample": comparison.metric_outside,
            "net_pnl_per_session_in_sample": comparison.net_inside,
            "net_pnl_per_session_out_of_sample": comparison.net_outside,
            "degradation": comparison.degradation,
        },
        "folds": [_fold_json(optimized, fold) for fold in optimized.folds],
        "result": result_json(optimized.headline, measure(optimized.headline)),
    }


def figure(metric: str, value: float | None) -> str:
    """A metric as people read it."""
    if metric in _MONEY:
        return money(value, sign=True)
    return percent(value) if metric in _SHARES else ratio(value)


def window(span: Window | None) -> str:
    """First and last session, and how many there are."""
    return "-" if span is None else f"{span.first} to {span.last} ({span.sessions})"


def _sample(optimized: Optimized) -> str:
    if not optimized.walk_forward:
        return IN_SAMPLE
    return f"out of sample: {len(optimized.folds)} unseen windows joined, the settings chosen before each"


def _compared(metric: str, found: Comparison) -> list[tuple[str, str]]:
    lost = found.degradation
    words = (
        "-: nothing was gained in sample" if lost is None else f"{percent(lost)} of the net P&L per session was lost"
    )
    return [
        (
            f"mean {metric}",
            f"{figure(metric, found.metric_inside)} in sample, {figure(metric, found.metric_outside)} unseen",
        ),
        ("net a session", f"{money(found.net_inside)} in sample, {money(found.net_outside)} unseen"),
        ("degradation", words),
    ]


def _engine(optimized: Optimized) -> str:
    headline = optimized.headline
    return f"{headline.engine}: {headline.why_not}" if headline.why_not else headline.engine


def _figures(outcome: TrialOutcome | None, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(figure(name, None if outcome is None else outcome.values[name]) for name in names)


def _fold_json(optimized: Optimized, trials: FoldTrials) -> dict[str, Any]:
    best = chosen(optimized.plan, trials)
    return {
        "fold": trials.fold.number,
        "train": _window_json(trials.fold.train),
        "unseen": None if trials.fold.unseen is None else _window_json(trials.fold.unseen),
        "chosen": None if best is None else _entrant_json(best),
        "trials": [_entrant_json(one) for one in trials.entrants],
    }


def _window_json(span: Window) -> dict[str, Any]:
    return {"first": span.first.isoformat(), "last": span.last.isoformat(), "sessions": span.sessions}


def _entrant_json(one: Entrant) -> dict[str, Any]:
    return {
        "settings": {name: value or None for name, value in one.settings},
        "train": _outcome_json(one.train),
        "unseen": None if one.unseen is None else _outcome_json(one.unseen),
    }


def _outcome_json(outcome: TrialOutcome) -> dict[str, Any]:
    return {"trades": outcome.trades, **outcome.values}
