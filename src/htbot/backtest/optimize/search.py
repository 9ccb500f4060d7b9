"""Which settings are tried next: a grid in a fixed order, or batches of a sampler that need no memory of their own."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from htbot.backtest.optimize.space import Span
from htbot.backtest.optimize.trial import Settings

if TYPE_CHECKING:
    import optuna

BATCH = 8
"""Trials that a sampler proposes at once. Fixed, so that the proposals do not depend on the number of processes."""

Told = tuple[Settings, float | None]
"""Settings that were tried, and their score: the higher the better, None unknown."""


class Search(Protocol):
    """A way to search; a pure function of what was told, so that a killed search goes on as if it had not been."""

    @property
    def total(self) -> int:
        """Trials of one fold."""
        ...

    def batch(self, fold: int, told: Sequence[Told]) -> list[Settings]:
        """What a fold tries after everything it was told, in order; nothing when it is at its end."""
        ...


@dataclass(frozen=True, slots=True)
class Grid:
    """Every combination, once."""

    settings: tuple[Settings, ...]

    @property
    def total(self) -> int:
        """Trials of one fold."""
        return len(self.settings)

    def batch(self, fold: int, told: Sequence[Told]) -> list[Settings]:  # noqa: ARG002 - every fold tries the same
        """All of them at once."""
        return [] if told else list(self.settings)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Optuna's tree-structured Parzen estimator. Each batch is drawn by a new sampler from what is finished.

    `valid` says whether a strategy takes the settings; those it does not take are told to the sampler as bad.
    """

    spans: tuple[Span, ...]
    total: int
    seed: int
    valid: Callable[[Settings], bool]

    def batch(self, fold: int, told: Sequence[Told]) -> list[Settings]:
        """The next batch, the same for the same fold, seed and finished trials; other than those, and valid."""
        wanted = min(BATCH, self.total - len(told))
        if wanted <= 0:
            return []
        study = self._refilled(fold, told)
        tried = {settings for settings, _ in told}
        found: list[Settings] = []
        for _ in range(wanted * _PATIENCE):
            trial = study.ask(self._distributions())
            settings = tuple((span.name, _text(span, trial.params[span.name])) for span in self.spans)
            if settings in tried:  # a repeat says nothing new: it is left out of the count
                study.tell(trial, state=_optuna().trial.TrialState.FAIL)
                continue
            tried.add(settings)
            if self.valid(settings):
                found.append(settings)
            else:
                study.tell(trial, state=_optuna().trial.TrialState.PRUNED)
            if len(found) == wanted:
                break
        return found

    def _refilled(self, fold: int, told: Sequence[Told]) -> optuna.Study:
        seed = random.Random(f"{self.seed}/{fold}/{len(told)}").getrandbits(32)
        library, distributions = _optuna(), self._distributions()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `constant_liar` is called experimental
            sampler = library.samplers.TPESampler(seed=seed, constant_liar=True)
        study: optuna.Study = library.create_study(direction="maximize", sampler=sampler)
        states = library.trial.TrialState
        for settings, score in told:
            values = dict(settings)
            study.add_trial(
                library.trial.create_trial(
                    params={span.name: _number(span, values[span.name]) for span in self.spans},
                    distributions=distributions,
                    value=score,
                    state=states.PRUNED if score is None else states.COMPLETE,
                )
            )
        return study

    def _distributions(self) -> dict[str, Any]:
        return {span.name: _distribution(span) for span in self.spans}


_PATIENCE = 25
"""Draws per wanted trial before a space counts as used up."""


def _optuna() -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _distribution(span: Span) -> Any:
    kinds = _optuna().distributions
    if span.choices:
        return kinds.CategoricalDistribution(span.choices)
    if span.whole:
        step = 1 if span.step is None else int(span.step)
        last = int(span.low) + (int(span.high) - int(span.low)) // step * step
        return kinds.IntDistribution(int(span.low), last, log=span.log, step=step)
    if span.step is not None:
        high = span.low + (span.high - span.low) // span.step * span.step
        return kinds.FloatDistribution(float(span.low), float(high), step=float(span.step))
    return kinds.FloatDistribution(float(span.low), float(span.high), log=span.log)


def _text(span: Span, value: Any) -> str:
    """As settings are written; six digits are enough for any of them, and can be read."""
    if span.choices or span.whole:
        return str(value)
    inside = min(max(Decimal(f"{value:.6g}"), span.low), span.high)
    return format(inside.normalize(), "f")


def _number(span: Span, text: str) -> Any:
    if span.choices:
        return text
    return int(text) if span.whole else float(text)
