"""Small charts as SVG: scales, ticks and marks. Colours are classes, so that the page decides on light or dark.

Drawn by hand and not by a library: text stays text in the page's font, marks follow the reader's colour scheme, and the
same numbers give the same bytes everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """From a value to a pixel, linear."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; of everything when all values are the same."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


class Picture:
    """Pieces of SVG in the order in which they are drawn."""

    def __init__(self, width: int, height: int, description: str) -> None:
        self.width = width
        self.height = height
        self._description = description
        self._pieces: list[str] = []

    def line(self, start: Point, end: Point, look: str) -> None:
        """A straight line."""
        self._pieces.append(f'<path class="{look}" d="M{_pair(start)}L{_pair(end)}"/>')

    def path(self, points: Sequence[Point], look: str, *, base: float | None = None) -> None:
        """A line through points, down to `base` and closed where one is given."""
        if not points:
            return
        steps = "L".join(map(_pair, points))
        if base is not None:
            steps = f"{_pair((points[0][0], base))}L{steps}L{_pair((points[-1][0], base))}Z"
        self._pieces.append(f'<path class="{look}" d="M{steps}"/>')

    def marks(self, points: Iterable[Point], shape: str, look: str) -> None:
        """One shape (relative path) at each point; those on the same half pixel are drawn once."""
        placed = dict.fromkeys((round(x * 2) / 2, round(y * 2) / 2) for x, y in points)
        if placed:
            steps = "".join(f"M{_pair(point)}{shape}" for point in placed)
            self._pieces.append(f'<path class="{look}" d="{steps}"/>')

    def segments(self, pairs: Iterable[tuple[Point, Point]], look: str) -> None:
        """Lines of their own, as one path."""
        drawn = dict.fromkeys(f"M{_pair(start)}L{_pair(end)}" for start, end in pairs)
        if drawn:
            self._pieces.append(f'<path class="{look}" d="{"".join(drawn)}"/>')

    def box(self, corner: Point, size: Point, look: str, note: str = "") -> None:
        """A rectangle; `note` is shown when it is pointed at."""
        title = f"<title>{escape(note)}</title>" if note else ""
        place = f'x="{_short(corner[0])}" y="{_short(corner[1])}"'
        extent = f'width="{_short(size[0])}" height="{_short(size[1])}"'
        self._pieces.append(f'<rect class="{look}" {place} {extent}>{title}</rect>')

    def text(self, place: Point, words: str, look: str = "soft", anchor: str = "start") -> None:
        """Words; `anchor` start, middle or end."""
        at = f'x="{_short(place[0])}" y="{_short(place[1])}"'
        shown = escape(words.replace("-", "\N{MINUS SIGN}", 1) if words.startswith("-") else words)
        self._pieces.append(f'<text class="{look}" {at} text-anchor="{anchor}">{shown}</text>')

    def render(self) -> str:
        """The whole picture; it grows and shrinks with the page."""
        head = f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self._description)}">'
        return "\n".join([head, *self._pieces, "</svg>"])


def ticks(low: float, high: float, wanted: float) -> list[float]:
    """Round values from `low` to `high`, about as many as wanted: multiples of 1, 2, 2.5 or 5 times a power of ten."""
    if not high > low:
        return [low]
    step = nice_step((high - low) / wanted)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def nice_step(rough: float) -> float:
    """The smallest round number that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most so many points, with the first, the last, and the highest and lowest of every stretch kept."""
    if len(points) <= most:
        return list(points)
    stretches = max(1, (most - 2) // 2)
    kept: dict[int, None] = {0: None}
    for stretch in range(stretches):
        begin, end = (len(points) * number // stretches for number in (stretch, stretch + 1))
        places = range(begin, end)
        lowest, highest = (choose(places, key=lambda place: points[place][1]) for choose in (min, max))
        kept.update(dict.fromkeys(sorted((lowest, highest))))
    kept[len(points) - 1] = None
    return [points[place] for place in kept]


def _pair(point: Point) -> str:
    return f"{_short(point[0])} {_short(point[1])}"


def _short(pixel: float) -> str:
    return f"{round(pixel, 1) + 0.0:g}"
