from __future__ import annotations

import math
from dataclasses import replace

import pytest

from htbot.bootstrap.chaos.report import COLUMNS, NAIVE, ChaosResult, Measured, percentile
from htbot.bootstrap.chaos.verdict import Verdict

CLEAN = Verdict(300, 290, 10, (), (), (), ())


def measured(*recoveries_s: float, complaints: tuple[str, ...] = (), missed: tuple[str, ...] = ()) -> Measured:
    return Measured(
        seed=3,
        planned=(300, 3),
        faults={"kill_desk": 1, "reset": 2},
        faults_missed=missed,
        recoveries_s=recoveries_s,
        doubts_s=(),
        longest_broken_s=4.0,
        intents_under_faults=250,
        complaints=complaints,
        refused={},
        closed_by={},
        disturbed={},
        wall_s=150.0,
    )


def test_the_shape_has_the_fields_of_the_contract() -> None:
    shape = ChaosResult(CLEAN, measured(1.0, 2.0, 30.5)).shape()
    contract = {
        "intents": 300,
        "faults": 3,
        "broker_orders": 290,
        "duplicates": 0,
        "lost_closes": 0,
        "unknown": 0,
        "ledger_equals_broker": True,
        "recovery_p50_s": 2.0,
        "recovery_p99_s": 30.5,
        "seed": 3,
    }
    assert {name: shape[name] for name in contract} == contract


def test_a_run_passes_only_when_books_agree_and_everything_came_back() -> None:
    assert ChaosResult(CLEAN, measured(1.0)).passed
    assert not ChaosResult(Verdict(1, 1, 0, ("twice",), (), (), ()), measured(1.0)).passed
    assert not ChaosResult(replace(CLEAN, orphans=("a stop",)), measured(1.0)).passed
    assert not ChaosResult(CLEAN, measured(1.0, math.inf)).passed
    assert not ChaosResult(CLEAN, measured(1.0, complaints=("desk is FATAL",))).passed
    assert not ChaosResult(CLEAN, measured(1.0, missed=("kill_desk",))).passed
    assert ChaosResult(CLEAN, measured(1.0, math.inf)).shape()["recovery_p99_s"] is None


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([3.0], 99, 3.0), ([1.0, 2.0, 3.0, 4.0], 50, 2.0), (list(range(1, 101)), 99, 99)],
)
def test_percentiles_are_values_that_were_measured(values: list[float], percent: float, expected: float | None) -> None:
    assert percentile(values, percent) == expected


def test_an_orphaned_stop_is_in_the_shape_and_among_the_findings() -> None:
    shape = ChaosResult(
        replace(CLEAN, orphans=("X1 works",), protective=40, met=12, share_trades=20), measured()
    ).shape()
    told = {name: shape[name] for name in ("orphans", "protective_orders", "protective_met", "share_trades")}
    assert told == {"orphans": 1, "protective_orders": 40, "protective_met": 12, "share_trades": 20}
    assert shape["findings"] == ["X1 works"]


def test_our_row_stands_below_the_others() -> None:
    found = Verdict(300, 301, 0, ("a", "b"), ("c",), (), ())
    rows = ChaosResult(found, measured(1.0)).table()
    assert rows[:-1] == list(NAIVE)
    assert rows[-1] == ("htbot: 300 intents, 3 faults", "2", "1", "0", "0")
    assert all(len(row) == len(COLUMNS) for row in rows)
