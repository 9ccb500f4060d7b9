"""Walk-forward: sessions in consecutive windows, each with the sessions before it to choose the settings on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from htbot.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Window:
    """Sessions from `first` to `last`, both included; `sessions` of them."""

    first: date
    last: date
    sessions: int


@dataclass(frozen=True, slots=True)
class Fold:
    """Settings are chosen on `train` and then seen on `unseen`, which begins at the next session.

    Without walk-forward there is one fold, and nothing unseen.
    """

    number: int
    train: Window
    unseen: Window | None = None


def walk_forward(days: Sequence[date], folds: int, train: int | None = None) -> tuple[Fold, ...]:
    """Consecutive unseen windows of equal length, give or take a session, that end with the last day.

    Args:
        days: the sessions, oldest first.
        folds: how many windows.
        train: sessions to choose on, those right before each window; None takes all before it (anchored), and the
            first window then begins where the first of `folds + 1` equal parts has ended.

    Raises:
        ConfigurationError: too few sessions.
    """
    if train is None:
        if len(days) < folds + 1:
            raise ConfigurationError(
                f"{len(days)} sessions are too few for {folds} folds: give {len(days) - 1} at most"
            )
        edges = _edges(0, len(days), folds + 1)[1:]
    else:
        left = len(days) - train
        if left < folds:
            raise ConfigurationError(
                f"{len(days)} sessions less {train} to train on leave {max(left, 0)} for {folds} folds: give more data,"
                " a shorter --train or fewer --folds"
            )
        edges = _edges(train, len(days), folds)
    pairs = itertools.pairwise(edges)
    return tuple(
        Fold(
            number,
            train=_window(days, 0 if train is None else begin - train, begin),
            unseen=_window(days, begin, end),
        )
        for number, (begin, end) in enumerate(pairs, 1)
    )


def whole(days: Sequence[date]) -> tuple[Fold, ...]:
    """One fold of every session: nothing is left unseen."""
    return (Fold(1, _window(days, 0, len(days))),)


def _edges(begin: int, end: int, parts: int) -> list[int]:
    return [begin + (end - begin) * part // parts for part in range(parts + 1)]


def _window(days: Sequence[date], begin: int, end: int) -> Window:
    return Window(days[begin], days[end - 1], end - begin)
