from __future__ import annotations

import math
import subprocess
import sys
from decimal import Decimal
from statistics import median

import pytest

from htbot.backtest.optimize.search import BATCH, Grid, Sampler, Told
from htbot.backtest.optimize.space import Span
from htbot.backtest.optimize.trial import Settings

SPANS = (
    Span("span", Decimal(2), Decimal(200), whole=True),
    Span("factor", Decimal("0.1"), Decimal(10), log=True),
    Span("step", Decimal("0.5"), Decimal("4.2"), Decimal("0.5")),
    Span("kind", choices=("a", "b", "")),
)


def always(_: Settings) -> bool:
    return True


def score(settings: Settings) -> float | None:
    values = dict(settings)
    if values["kind"] == "":
        return None
    return -abs(int(values["span"]) - 50) - 10 * abs(math.log(float(values["factor"])))


def searched(sampler: Sampler, told: list[Told] | None = None) -> list[Told]:
    told = list(told or [])
    while batch := sampler.batch(1, told):
        told += [(settings, score(settings)) for settings in batch]
    return told


def test_a_grid_is_tried_once_in_its_order() -> None:
    settings = ((("a", "1"),), (("a", "2"),))
    grid = Grid(settings)
    assert grid.batch(1, []) == list(settings)
    assert grid.batch(1, [(one, 1.0) for one in settings]) == []
    assert grid.total == 2


def test_a_sampler_proposes_as_many_as_it_is_asked_for_all_of_them_other_and_inside() -> None:
    told = searched(Sampler(SPANS, 30, 1, always))
    assert len(told) == len({settings for settings, _ in told}) == 30
    for settings, _ in told:
        values = dict(settings)
        assert 2 <= int(values["span"]) <= 200
        assert 0.1 <= float(values["factor"]) <= 10
        assert float(values["step"]) in {0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0}
        assert values["kind"] in {"a", "b", ""}


def test_it_goes_on_from_what_is_finished_as_if_it_had_never_stopped() -> None:
    whole = searched(Sampler(SPANS, 30, 7, always))
    for finished in (0, BATCH, 2 * BATCH, 3 * BATCH):
        assert searched(Sampler(SPANS, 30, 7, always), whole[:finished]) == whole
    assert searched(Sampler(SPANS, 40, 7, always))[: 3 * BATCH] == whole[: 3 * BATCH], "more trials begin the same"


@pytest.mark.parametrize(("seed", "fold"), [(8, 1), (7, 2)])
def test_seed_and_fold_make_the_proposals(seed: int, fold: int) -> None:
    assert Sampler(SPANS, 8, 7, always).batch(1, []) != Sampler(SPANS, 8, seed, always).batch(fold, [])


def test_it_learns() -> None:
    """Later draws are nearer to the best place than the first ones, which are at random: else it is no search."""
    told = [value for _, value in searched(Sampler(SPANS, 64, 3, always))]
    early, late = ([value for value in part if value is not None] for part in (told[:16], told[48:]))
    assert median(late) > median(early)


def test_what_the_strategy_does_not_take_is_not_proposed() -> None:
    told = searched(Sampler(SPANS, 16, 1, lambda settings: int(dict(settings)["span"]) % 2 == 0))
    assert len(told) == 16
    assert all(int(dict(settings)["span"]) % 2 == 0 for settings, _ in told)


def test_a_space_that_is_used_up_ends_the_search() -> None:
    sampler = Sampler((Span("n", Decimal(1), Decimal(3), whole=True),), 20, 1, always)
    told: list[Told] = []
    while batch := sampler.batch(1, told):
        told += [(settings, 1.0) for settings in batch]
    assert sorted(dict(settings)["n"] for settings, _ in told) == ["1", "2", "3"]


def test_optuna_is_loaded_when_it_is_asked_and_says_nothing() -> None:
    script = """
import sys
from htbot.backtest.optimize.search import Sampler
from htbot.backtest.optimize.space import Span
from decimal import Decimal
assert "optuna" not in sys.modules
found = Sampler((Span("n", Decimal(1), Decimal(9), whole=True),), 4, 1, lambda _: True).batch(1, [])
assert "optuna" in sys.modules and len(found) == 4
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
