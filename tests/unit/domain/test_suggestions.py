from __future__ import annotations

import pytest

from htbot.domain.suggestions import suggestion


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        ("levrage", ["leverage", "drawdown"], "did you mean leverage?"),
        ("zzz", ["b", "a"], "known are b, a"),
        ("zzz", [], "known are none yet"),
    ],
)
def test_the_nearest_name_or_all_of_them(name: str, known: list[str], told: str) -> None:
    assert suggestion(name, known) == told
