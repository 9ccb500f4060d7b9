"""Scales, ticks, thinning, and pieces that are well-formed whatever the words."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.backtest.svg import Picture, Scale, nice_step, thinned, ticks


def test_a_scale_maps_its_ends() -> None:
    scale = Scale(10, 20, 300, 0)
    assert (scale.at(10), scale.at(15), scale.at(20)) == (300, 150, 0)
    assert Scale(5, 5, 0, 100).at(5) == 50


@pytest.mark.parametrize(("rough", "step"), [(1, 1), (1.1, 2), (2.2, 2.5), (3, 5), (7, 10), (0.03, 0.05), (130, 200)])
def test_steps_are_round(rough: float, step: float) -> None:
    assert nice_step(rough) == pytest.approx(step)


def test_ticks_are_multiples_of_a_round_step() -> None:
    assert ticks(97.2, 103.9, 4) == [98, 100, 102]
    assert ticks(-0.5, 0.5, 4) == pytest.approx([-0.5, -0.25, 0, 0.25, 0.5])
    assert ticks(7, 7, 4) == [7]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_lie_inside_and_are_not_many(low: float, width: float, wanted: int) -> None:
    found = ticks(low, low + width, wanted)
    assert len(found) <= wanted + 1
    assert all(low - width * 1e-6 <= value <= low + width * (1 + 1e-6) for value in found)
    assert all(after > before for before, after in pairwise(found))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=300), st.integers(4, 60))
def test_thinning_keeps_the_ends_and_the_extremes(heights: list[float], most: int) -> None:
    points = [(float(number), height) for number, height in enumerate(heights)]
    kept = thinned(points, most)
    assert len(kept) <= max(most, 4)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert {min(heights), max(heights)} <= {height for _, height in kept}
    assert [x for x, _ in kept] == sorted({x for x, _ in kept})


def test_words_are_escaped_and_the_picture_is_well_formed() -> None:
    picture = Picture(100, 50, 'a "quoted" <description>')
    picture.text((1, 2), "-5 < 6 & more", anchor="end")
    picture.box((0, 0), (10, 10), "column win", "<b>")
    picture.path([], "curve")
    picture.path([(0, 0), (1.26, 2)], "curve", base=9)
    picture.marks([(1, 1), (1.1, 1.1), (5, 5)], "h0", "dot win")
    picture.segments([], "held")
    root = ET.fromstring(picture.render())
    assert root.attrib["aria-label"] == 'a "quoted" <description>'
    assert root[0].text == "\N{MINUS SIGN}5 < 6 & more"
    assert root[1][0].text == "<b>"
    assert [path.attrib["d"] for path in root.iter("path")] == ["M0 9L0 0L1.3 2L1.3 9Z", "M1 1h0M5 5h0"]
