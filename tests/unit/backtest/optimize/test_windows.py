from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.backtest.optimize.windows import Window, walk_forward, whole
from htbot.domain.errors import ConfigurationError

DAYS = [date(2022, 1, 3) + timedelta(days=number) for number in range(24)]


def test_anchored_windows_by_hand() -> None:
    first, second, third = walk_forward(DAYS, 3)
    assert (first.train, first.unseen) == (Window(DAYS[0], DAYS[5], 6), Window(DAYS[6], DAYS[11], 6))
    assert (second.train, second.unseen) == (Window(DAYS[0], DAYS[11], 12), Window(DAYS[12], DAYS[17], 6))
    assert (third.train, third.unseen) == (Window(DAYS[0], DAYS[17], 18), Window(DAYS[18], DAYS[23], 6))
    assert [fold.number for fold in (first, second, third)] == [1, 2, 3]


def test_rolling_windows_by_hand() -> None:
    first, second = walk_forward(DAYS, 2, train=10)
    assert (first.train, first.unseen) == (Window(DAYS[0], DAYS[9], 10), Window(DAYS[10], DAYS[16], 7))
    assert (second.train, second.unseen) == (Window(DAYS[7], DAYS[16], 10), Window(DAYS[17], DAYS[23], 7))


@given(sessions=st.integers(2, 400), folds=st.integers(1, 30), train=st.none() | st.integers(1, 300))
def test_every_session_after_the_first_training_is_seen_once_and_only_after_it(
    sessions: int, folds: int, train: int | None
) -> None:
    days = [date(2020, 1, 1) + timedelta(days=number) for number in range(sessions)]
    too_few = sessions < folds + 1 if train is None else sessions - train < folds
    if too_few:
        with pytest.raises(ConfigurationError):
            walk_forward(days, folds, train)
        return
    made = walk_forward(days, folds, train)
    assert len(made) == folds
    begin = days.index(made[0].train.last) + 1
    for fold in made:
        assert fold.unseen is not None
        assert days.index(fold.unseen.first) == begin == days.index(fold.train.last) + 1
        begin = days.index(fold.unseen.last) + 1
        assert fold.unseen.sessions == begin - days.index(fold.unseen.first) >= 1
        assert fold.train.sessions == days.index(fold.train.last) - days.index(fold.train.first) + 1
        assert fold.train.sessions == train or (train is None and fold.train.first == days[0])
    assert begin == sessions
    lengths = {fold.unseen.sessions for fold in made if fold.unseen is not None}
    assert max(lengths) - min(lengths) <= 1


def test_without_walk_forward_nothing_is_unseen() -> None:
    (fold,) = whole(DAYS)
    assert fold.train == Window(DAYS[0], DAYS[-1], 24)
    assert fold.unseen is None


def test_too_few_sessions_say_what_would_do() -> None:
    with pytest.raises(ConfigurationError, match="24 sessions are too few for 24 folds: give 23 at most"):
        walk_forward(DAYS, 24)
    with pytest.raises(ConfigurationError, match="24 sessions less 20 to train on leave 4 for 5 folds"):
        walk_forward(DAYS, 5, train=20)
