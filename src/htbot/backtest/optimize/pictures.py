"""Two pictures of a search: how good each pair of two settings was, and what was left of it on unseen sessions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from statistics import fmean

from htbot.backtest.optimize.drive import Entrant
from htbot.backtest.optimize.told import figure
from htbot.backtest.optimize.walk import Optimized, chosen
from htbot.backtest.svg import Picture, Scale, ticks

WIDTH, LEFT, RIGHT = 620, 78, 16
MOST = 12
"""Values of a setting that stand side by side; of more, those in a row share a cell."""
SHADES = 9
_LETTER = 6.5
_DOT, _RING = "h0", "m-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0"


def heat_map(optimized: Optimized) -> str:
    """The mean metric in sample of each pair of the first two settings, over folds and other settings."""
    entrants = [one for fold in optimized.folds for one in fold.entrants]
    names = [name for name, _ in entrants[0].settings][:2]
    across, down = (_Cells(names[at] if at < len(names) else "", entrants) for at in (0, 1))
    values: dict[tuple[int, int], list[float]] = defaultdict(list)
    for one in entrants:
        score = optimized.plan.goal.score(one.train)
        if score is not None:
            values[across.of(one), down.of(one)].append(score)
    if not values:
        return ""
    means = {cell: fmean(found) for cell, found in values.items()}
    return _drawn_map(optimized, across, down, means)


def scatter(optimized: Optimized) -> str:
    """In sample to the right, unseen up; the best trials of each fold, with a ring around what was chosen."""
    plan = optimized.plan
    metric = plan.goal.metric
    points = {}
    for number, fold in enumerate(optimized.folds):
        for rank, one in enumerate(fold.entrants):
            inside, outside = one.train.values[metric], None if one.unseen is None else one.unseen.values[metric]
            if inside is not None and outside is not None:
                points[number, rank] = (inside, outside)
    if not points:
        return ""
    picture = Picture(WIDTH, 340, f"{metric} in sample against {metric} on unseen sessions")
    x = _scale([inside for inside, _ in points.values()], LEFT, WIDTH - RIGHT)
    y = _scale([outside for _, outside in points.values()], 290, 12)
    _grid(picture, x, y, lambda value: figure(metric, value))
    low, high = max(x.low, y.low), min(x.high, y.high)
    if low < high:
        picture.line((x.at(low), y.at(low)), (x.at(high), y.at(high)), "start")
    picked = [
        place for number, fold in enumerate(optimized.folds) if chosen(plan, fold) and (place := (number, 0)) in points
    ]
    for kept, look in ((True, "dot win"), (False, "dot loss")):
        near = [
            (x.at(one), y.at(after)) for one, after in points.values() if _held(plan.goal.metric, one, after) is kept
        ]
        picture.marks(near, _DOT, look)
    picture.marks([(x.at(points[place][0]), y.at(points[place][1])) for place in picked], _RING, "ring")
    picture.text(((x.start + x.end) / 2, 334), f"{metric} in sample", anchor="middle")
    return picture.render()


def _held(metric: str, inside: float, outside: float) -> bool:
    """At least as good unseen."""
    return outside <= inside if metric == "max_drawdown" else outside >= inside


class _Cells:
    """A setting's values in order, or stretches of them where there are too many."""

    def __init__(self, name: str, entrants: Sequence[Entrant]) -> None:
        self.name = name
        texts = dict.fromkeys(dict(one.settings).get(name, "") for one in entrants)
        ordered = sorted(texts, key=_order)
        cells = min(len(ordered), MOST)
        self._place = {text: index * cells // len(ordered) for index, text in enumerate(ordered)}
        self.labels = [self._label([text for text in ordered if self._place[text] == cell]) for cell in range(cells)]

    def of(self, one: Entrant) -> int:
        """The cell of a trial."""
        return self._place[dict(one.settings).get(self.name, "")]

    def _label(self, texts: Sequence[str]) -> str:
        shown = [f"{Decimal(text):.5g}" if _order(text)[0] == 1 else text or "none" for text in (texts[0], texts[-1])]
        return "" if not self.name else shown[0] if len(texts) == 1 else f"{shown[0]} to {shown[1]}"


def _order(text: str) -> tuple[int, Decimal, str]:
    """No value first, numbers by size, then words."""
    try:
        return (1, Decimal(text), "") if text else (0, Decimal(0), "")
    except InvalidOperation:
        return (2, Decimal(0), text)


def _drawn_map(optimized: Optimized, across: _Cells, down: _Cells, means: dict[tuple[int, int], float]) -> str:
    goal = optimized.plan.goal
    columns, rows = len(across.labels), len(down.labels)
    height = 26.0 if rows > 1 else 44.0
    left = LEFT + 24 if rows > 1 else 16
    cell = (WIDTH - RIGHT - left) / columns
    picture = Picture(WIDTH, int(rows * height) + 58, f"Mean {goal.metric} in sample by {across.name} and {down.name}")
    low, high = min(means.values()), max(means.values())
    for (column, row), score in means.items():
        shade = SHADES if high == low else round((score - low) / (high - low) * SHADES)
        words = figure(goal.metric, goal.value(score))
        note = ", ".join(f"{axis.name} {axis.labels[at]}" for axis, at in ((across, column), (down, row)) if axis.name)
        corner = (left + column * cell, 12 + row * height)
        picture.box((corner[0] + 1, corner[1] + 1), (cell - 2, height - 2), f"cell s{shade}", f"{note}: {words}")
        if cell >= 52:
            picture.text((corner[0] + cell / 2, corner[1] + height / 2 + 4), words, "ink", "middle")
    widest = max(map(len, across.labels)) * _LETTER + 8
    for column in range(0, columns, math.ceil(widest / cell)):
        picture.text((left + (column + 0.5) * cell, 12 + rows * height + 18), across.labels[column], anchor="middle")
    for row in range(rows):
        picture.text((left - 8, 12 + (row + 0.5) * height + 4), down.labels[row], anchor="end")
    picture.text(((left + WIDTH) / 2, 12 + rows * height + 38), across.name, anchor="middle")
    if down.name:
        picture.text((4, 9), down.name)
    return picture.render()


def _scale(values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(*values, 0.0), max(*values, 0.0)
    room = (high - low) * 0.05 or 1.0
    return Scale(low - room, high + room, start, end)


def _grid(picture: Picture, x: Scale, y: Scale, named: Callable[[float], str]) -> None:
    for value in ticks(y.low, y.high, 6):
        picture.line((x.start, y.at(value)), (x.end, y.at(value)), "grid" if value else "axis")
        picture.text((x.start - 8, y.at(value) + 4), named(value), anchor="end")
    for value in ticks(x.low, x.high, 6):
        picture.line((x.at(value), y.start), (x.at(value), y.end), "grid" if value else "axis")
        picture.text((x.at(value), y.start + 18), named(value), anchor="middle")
