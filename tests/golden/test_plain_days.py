"""Backtests of strategies on shares against what the real stack did on days of real data."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.golden.parity_days import lines
from tests.golden.plain_days import recorded, request_of
from tests.support.plain_day import play

from htbot.backtest.plain_parity import rows_of_plain


@pytest.mark.parametrize("name", ["shares-2022-08-26"])
def test_the_backtest_gives_what_the_stack_did(name: str, tmp_path: Path) -> None:
    played, told = recorded(name)
    request, session = request_of(played, tmp_path)
    assert lines(rows_of_plain(play(request)), session, without={}) == told
