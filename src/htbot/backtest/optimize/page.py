"""The report of a search: that of a backtest for the headline, with the search and its trials in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from htbot.backtest import report_parts
from htbot.backtest.metrics import measure
from htbot.backtest.optimize import told
from htbot.backtest.optimize.pictures import SHADES, heat_map, scatter
from htbot.backtest.optimize.walk import Optimized
from htbot.backtest.report import report_html

TEMPLATE = "optimize.html.j2"


def write_page(optimized: Optimized, path: Path) -> None:
    """Write one HTML file that needs nothing else."""
    path.write_text(page_html(optimized), encoding="utf-8")


def page_html(optimized: Optimized) -> str:
    """The page; the same search gives the same bytes, but for how long it took."""
    headline, metrics = optimized.headline, measure(optimized.headline)
    more: dict[str, Any] = {"search": _view(optimized)}
    if optimized.walk_forward:  # the joined windows are not the best of the trials: they were chosen without them
        more["cautions"] = [_chosen_before(optimized), *report_parts.cautions(headline, metrics, None)]
    return report_html(headline, metrics, optimized.trials, TEMPLATE, more)


def _chosen_before(optimized: Optimized) -> str:
    return (
        f"Best of {optimized.trials:,} trials in {len(optimized.folds)} folds, each chosen before the window it was"
        " traded in. Whoever searches again until these windows look good has seen them too."
    )


def _view(optimized: Optimized) -> dict[str, Any]:
    from markupsafe import Markup

    names = [name for name, _ in next(one for fold in optimized.folds for one in fold.entrants).settings]
    pictures = {"heat": heat_map(optimized), "scatter": scatter(optimized)}
    return {
        "walk_forward": optimized.walk_forward,
        "metric": optimized.plan.goal.metric,
        "names": names,
        "facts": told.facts(optimized),
        "fold_columns": told.FOLD_COLUMNS,
        "folds": list(told.fold_rows(optimized)),
        "trial_columns": told.trial_columns(optimized),
        "trials": list(told.trial_rows(optimized)),
        "shades": [(shade, round(8 + shade * 92 / SHADES)) for shade in range(SHADES + 1)],
        "pictures": {name: Markup(drawn) for name, drawn in pictures.items()},  # noqa: S704 - `svg` escapes its words
    }
