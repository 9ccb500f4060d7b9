from __future__ import annotations

import pytest

from htbot.market.path import PathBar, SessionPath, event_times, vertex_offsets, vertices

OPENS, CLOSES = 1_000_000_200, 1_000_000_200 + 390 * 60
UP = PathBar(100.0, 104.0, 99.0, 103.0, 600.0)  # the low is nearer: 100, 99, 104, 103
DOWN = PathBar(103.0, 103.5, 101.0, 101.5, 600.0)  # the high is nearer: 103, 103.5, 101, 101.5


def path(*candles: PathBar, starts: list[int] | None = None, length_s: int = 300) -> SessionPath:
    begins = starts or [OPENS + number * length_s for number in range(len(candles))]
    return SessionPath(OPENS, CLOSES, length_s, begins, list(candles))


def test_ruling_19_nearer_extreme_first() -> None:
    assert vertices(UP) == (100.0, 99.0, 104.0, 103.0)
    assert vertices(DOWN) == (103.0, 103.5, 101.0, 101.5)


def test_a_tie_takes_the_low_first_in_a_bar_that_does_not_fall() -> None:
    assert vertices(PathBar(10.0, 11.0, 9.0, 10.0, 0.0)) == (10.0, 9.0, 11.0, 10.0)
    assert vertices(PathBar(10.0, 11.0, 9.0, 9.5, 0.0)) == (10.0, 11.0, 9.0, 9.5)


def test_vertices_lie_at_thirds_on_whole_seconds() -> None:
    assert vertex_offsets(300) == (0, 100, 200, 300)
    assert vertex_offsets(60) == (0, 20, 40, 60)
    assert vertex_offsets(100) == (0, 33, 67, 100)


def test_price_runs_straight_between_vertices_and_hits_them() -> None:
    line = path(UP, DOWN)
    seen = {offset: line.price(OPENS + offset) for offset in (0, 50, 100, 150, 200, 250, 299, 300, 350, 400)}
    assert seen == {
        0: 100.0, 50: 99.5, 100: 99.0, 150: 101.5, 200: 104.0, 250: 103.5, 299: pytest.approx(103.01), 300: 103.0,
        350: 103.25, 400: 103.5,
    }  # fmt: skip


def test_the_new_bar_opens_at_the_instant_where_the_old_one_ends() -> None:
    line = path(UP, PathBar(110.0, 111.0, 109.0, 110.5, 600.0))
    assert line.price(OPENS + 299) == pytest.approx(103.01)
    assert line.price(OPENS + 300) == 110.0


def test_the_last_price_stands_where_a_bar_is_missing_and_there_is_none_before_the_first() -> None:
    line = path(UP, DOWN, starts=[OPENS + 300, OPENS + 1200])
    assert line.price(OPENS + 299) is None
    assert [line.price(OPENS + offset) for offset in (600, 900, 1199, 1200)] == [103.0, 103.0, 103.0, 103.0]
    assert line.changed_s(OPENS + 900) == OPENS + 600
    assert line.changed_s(OPENS + 450) == OPENS + 450


def test_a_bar_that_reaches_over_the_close_ends_there() -> None:
    line = path(UP, starts=[CLOSES - 120], length_s=300)
    assert line.end_of(0) == CLOSES
    assert [line.price(CLOSES - 120 + offset) for offset in (40, 80, 120)] == [99.0, 104.0, 103.0]


def test_part_of_a_bar_has_what_was_seen_of_it() -> None:
    line = path(UP)
    assert line.between(OPENS, OPENS + 150) == PathBar(100.0, 101.5, 99.0, 101.5, 300.0)
    assert line.between(OPENS + 150, OPENS + 210) == PathBar(101.5, 104.0, 101.5, pytest.approx(103.9), 120.0)
    assert line.between(OPENS, OPENS) == PathBar(100.0, 100.0, 100.0, 100.0, 0.0)
    assert line.between(OPENS, OPENS + 300) is UP


def test_bars_join() -> None:
    joined = path(UP, DOWN).between(OPENS, OPENS + 600)
    assert joined == PathBar(100.0, 104.0, 99.0, 101.5, 1200.0)
    assert path(UP, starts=[OPENS + 300]).between(OPENS, OPENS + 300) is None


def test_volumes_of_the_parts_add_up() -> None:
    line = path(UP)
    parts = [line.between(OPENS + second, OPENS + second + 7) for second in range(0, 301, 7)]
    assert sum(part.volume for part in parts if part) == 600.0


def test_events_are_the_grid_and_the_vertices() -> None:
    times = event_times(OPENS, CLOSES, path(UP, DOWN).turns())
    assert [at - OPENS for at in times[:13]] == [0, 30, 60, 90, 100, 120, 150, 180, 200, 210, 240, 270, 300]
    assert times[-1] == CLOSES
    assert times == sorted(set(times))


@pytest.mark.parametrize("length_s", [5, 60, 300, 3600, 7 * 3600])
def test_bars_are_those_that_start_within_the_limits(length_s: int) -> None:
    day = path(UP, DOWN, UP)
    whole = day.buckets(length_s, (0, CLOSES))
    assert whole[0][0] == OPENS
    assert whole[-1][1] == (OPENS + 900 if length_s == 300 else CLOSES)
    for since in (OPENS - 1, OPENS, OPENS + 1, OPENS + 299, OPENS + 300, CLOSES - 1, CLOSES):
        for until in (since - 1, since, since + 300, CLOSES + 1):
            asked = [span for span in whole if since <= span[0] <= until]
            assert day.buckets(length_s, (since, until)) == asked
