"""Backtests of days of real data against what the real stack did on them, as it was recorded."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from tests.golden.parity_days import lines, path_of
from tests.support.shared_data import shared_file

from htbot.backtest.spread_parity import rows_of_result
from htbot.backtest.spread_request import SpreadRequest
from htbot.backtest.spread_run import run_spreads
from htbot.backtest.terms import Terms
from htbot.bootstrap.demo import BEFORE_OPEN
from htbot.bootstrap.desk import history_days
from htbot.bootstrap.limits import breaker_limits, risk_limits
from htbot.bootstrap.paper import PaperOptions, build_market
from htbot.bootstrap.strategy import build_strategy
from htbot.paper.gateway import account_number
from htbot.settings import load_settings

DAYS = [
    ("us_equities_5m_2022.parquet", "SPY", date(2022, 8, 26)),
    ("us_equities_5m_2022.parquet", "SPY", date(2022, 6, 13)),
    ("us_equities_5m_2022.parquet", "QQQ", date(2022, 6, 16)),
]


@pytest.mark.parametrize(("file", "symbol", "day"), DAYS, ids=[f"{symbol}-{day}" for _, symbol, day in DAYS])
def test_the_backtest_gives_what_the_stack_did(file: str, symbol: str, day: date, tmp_path: Path) -> None:
    data = shared_file(f"market/{file}")
    settings = load_settings(tmp_path, {"HTBOT_ENV_FILE": os.devnull, "HTBOT_SYMBOL": symbol})
    market = build_market(
        PaperOptions(state_dir=tmp_path, market="replay", data=(data,), symbol=symbol, start=day), day
    )
    session = market.sessions.on(day)
    assert session is not None
    result = run_spreads(
        SpreadRequest(
            strategy=build_strategy(settings),
            terms=Terms(
                market=market,
                first=day,
                last=day,
                account=account_number(market.world_id),
                breaker=breaker_limits(settings),
                latency_s=0.0,
                enabled_after=session.opens,
                told_from=session.opens - BEFORE_OPEN,
            ),
            limits=risk_limits(settings, symbol),
            history_from=market.sessions.before(day, history_days(5))[0].opens,
        )
    )
    recorded = path_of(symbol, day).read_text(encoding="utf-8").splitlines()
    assert lines(rows_of_result(result), session) == recorded
