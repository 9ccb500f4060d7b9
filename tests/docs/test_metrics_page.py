"""The page of backtest metrics has every metric, and no other."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from tests.docs.pages import DOCS, rows

from htbot.backtest.metrics import Metrics
from htbot.backtest.metrics_curve import lucky_sharpe

PAGE = DOCS / "concepts" / "backtest-metrics.md"


def test_every_metric_is_in_a_table() -> None:
    names = [name for row in rows(PAGE) for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(names) == sorted([*(field.name for field in fields(Metrics)), "max_drawdown", "max_drawdown_usd"])


def test_the_luck_of_a_hundred_trials_is_as_stated() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    year, quarter = (float(number) for number in re.findall(r"distribution: ([\d.]+) .*?, ([\d.]+) over", text)[0])
    assert lucky_sharpe(100, 252) == pytest.approx(year, abs=0.005)
    assert lucky_sharpe(100, 63) == pytest.approx(quarter, abs=0.005)
