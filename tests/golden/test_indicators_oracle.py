"""The trend's numbers against two independent programs, bar by bar, on every set of real bars."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.support.shared_data import shared_file

from htbot.indicators import batch
from htbot.indicators.trend import TrendState

TOLERANCE = 1e-9


Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def series() -> list[Rows]:
    """One list of bars per set, symbol and history that was concatenated."""
    rows = pq.read_table(shared_file("oracle/expected_indicators_5m.parquet")).to_pylist()
    whole = itemgetter("set", "symbol", "history")
    rows.sort(key=lambda row: (*whole(row), row["session"], row["start_min"]))
    return [list(found) for _, found in groupby(rows, key=whole)]


def expected(rows: Rows, column: str) -> np.ndarray:
    return np.array([np.nan if row[column] is None else row[column] for row in rows], dtype=float)


def test_stream(series: list[Rows]) -> None:
    compared = 0
    for rows in series:
        state = TrendState.start(60, 144)
        found: list[tuple[float | None, float | None]] = []
        for row in rows:
            state = state.add(row["close"])
            found.append((state.rsi.value, state.ema.value))
        values = np.array(found, dtype=float)
        for column, name in enumerate(("rsi60", "ema144")):
            np.testing.assert_allclose(values[:, column], expected(rows, name), rtol=0, atol=TOLERANCE)
        compared += len(rows)
    assert compared == 27_452


def test_batch(series: list[Rows]) -> None:
    for rows in series:
        closes = np.array([row["close"] for row in rows])
        np.testing.assert_allclose(batch.simple_rsi(closes, 60), expected(rows, "rsi60"), rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(batch.rsi_ema(closes, 60, 144), expected(rows, "ema144"), rtol=0, atol=TOLERANCE)
