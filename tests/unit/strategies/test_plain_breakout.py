from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.shared_data import PROJECT, shared_file
from tests.support.strategy_suite import PROJECT_ANSWERS, StrategySuite
from tests.support.strategy_tapes import deals_text, loop_of, recorded_tapes

from htbot.backtest.bar_run import Way, run_bars
from htbot.engine.bar_parts import Leave
from htbot.strategies.registry import discover

FOUND = discover([PROJECT / "examples" / "strategies"])
REASONS = {
    Leave.PROFIT_TARGET: "target", Leave.STOP_LOSS: "stop", Leave.TIME: "eod", Leave.MARKET_CLOSE: "eod",
}  # fmt: skip
SETS = ("us_equities_5m_2022", "equity_trades_1m", "spy_qqq_1m_201902", "spy_qqq_1m_202505")


class TestPlainBreakout(StrategySuite):
    strategy = FOUND["plain_breakout"].strategy
    answers = PROJECT_ANSWERS / "plain_breakout.csv"
    default_hash = "4a44a5eac44c"
    variants = (
        {"warmup": "seeded", "rsi_window": 10, "ema_span": 20},
        {"rsi_window": 14, "ema_span": 30, "threshold": 55, "exit_time": None, "max_hold_days": 2},
    )

    @pytest.mark.parametrize("way", ["events", "compiled"])
    @pytest.mark.parametrize("name", SETS)
    def test_the_trades_are_those_of_two_independent_programs(self, name: str, way: Way, folder: Path) -> None:
        expected = oracle(name)
        tapes = {tape.symbol: tape for tape in recorded_tapes(name)}
        assert expected
        for (symbol, warmup, multiplier), trades in expected.items():
            loop = loop_of(self.make({"warmup": warmup, "point_value": round(multiplier)}))
            deals = deals_text(run_bars(loop, tapes[symbol], folder, way).deals)
            assert [shape(deal) for deal in deals] == [wanted(row) for row in trades], (symbol, warmup, multiplier)


Shape = tuple[int, datetime, datetime, int, int, str]


def oracle(name: str) -> dict[tuple[str, str, float], list[dict[str, str]]]:
    """Expected trades by symbol, warm-up and dollars a point, oldest first."""
    found: dict[tuple[str, str, float], list[dict[str, str]]] = {}
    with shared_file("oracle/expected_trades.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            if row["set"] == name:
                found.setdefault((row["symbol"], row["warmup"], float(row["mult"])), []).append(row)
    return {key: sorted(rows, key=lambda row: row["entry_ts"]) for key, rows in found.items()}


def shape(deal: dict[str, int]) -> Shape:
    opened, closed = (datetime.fromtimestamp(deal[name], UTC) for name in ("opened_s", "closed_s"))
    return deal["side"], opened, closed, deal["entry_u"], deal["exit_u"], REASONS[Leave(deal["reason"])]


def wanted(row: dict[str, str]) -> Shape:
    opened, closed = (datetime.fromisoformat(row[name]) for name in ("entry_ts", "exit_ts"))
    entry_u, exit_u = (round(float(row[name]) * 1e6) for name in ("entry_price", "exit_price"))
    return int(row["side"]), opened, closed, entry_u, exit_u, row["exit_reason"]
