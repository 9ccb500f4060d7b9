from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.spread_day import DAY, walk, world

from htbot.bootstrap.research_options import BacktestOptions
from htbot.bootstrap.research_spreads import backtest_options, request_of, with_limits
from htbot.domain.errors import ConfigurationError
from htbot.risk.breaker import BreakerLimits
from htbot.settings import Settings, load_settings
from htbot.strategies.registry import STRATEGIES, create

ENTRY = STRATEGIES["spx_breakout"]
QUICK = {"rsi_window": "6", "ema_span": "9", "rsi_ema_bull": "50", "rsi_ema_bear": "50"}


def options_for(symbol: str, data: tuple[Path, ...] = (), **more: Any) -> BacktestOptions:
    return BacktestOptions("spx_breakout", data, symbol, **more)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path, {"HTBOT_ENV_FILE": os.devnull})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A Monday to a half day of five-minute bars."""
    path = tmp_path / "bars.csv"
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("symbol", "ts", "open", "high", "low", "close", "volume"))
        for at, row in walk().items():
            writer.writerow(("SPX", at.astimezone(UTC).isoformat(), *row, 1000))
    return path


def test_days_of_a_file(settings: Settings, data: Path) -> None:
    told: list[float] = []
    options = options_for("SPX", (data,), start=date(2024, 7, 2), settings=QUICK)
    result = backtest_options(ENTRY, options, settings, told.append)
    assert result.curve.days == (date(2024, 7, 2), DAY)
    assert told == [0.5, 1.0]
    assert result.bars == 78 + 42
    assert result.data == (str(data),)
    assert result.trades
    assert (result.config["symbol"], result.config["rsi_window"]) == ("SPX", 6)
    assert result.assumptions["market"] == "the days of the data files"


def test_without_a_start_every_day_of_the_file_is_played(settings: Settings, data: Path) -> None:
    result = backtest_options(ENTRY, options_for("SPX", (data,), settings=QUICK), settings)
    assert result.curve.days == (date(2024, 7, 1), date(2024, 7, 2), DAY)


def test_the_synthetic_market_is_said_to_be_made_up(settings: Settings) -> None:
    options = options_for("SPX", start=date(2026, 11, 18), settings=QUICK)
    result = backtest_options(ENTRY, options, settings)
    assert result.curve.days == (date(2026, 11, 18),)
    assert result.assumptions["market"].startswith("SYNTHETIC")
    assert result.data == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"engine": "compiled"}, "--engine compiled: strategies on options run in the event loop"),
        ({"symbol": "AAPL"}, "--symbol AAPL: options are known on SPX, SPY, QQQ"),
        ({"settings": {"symbol": "SPY"}}, "--set symbol=SPY: the underlying is given by --symbol"),
        ({"settings": {"long_indx": "3"}}, "unknown setting long_indx: did you mean long_index?"),
        ({"commission": "none"}, "--commission none: options pay"),
        ({"fill": "close"}, "--fill close: a spread has no bar"),
        ({"start": None}, "give --data FILE, or --start"),
        ({"end": date(2026, 11, 1)}, "--end 2026-11-01 is before --start 2026-11-18"),
        ({"limits": {"entries_per_dy": "2"}}, "unknown limit entries_per_dy: did you mean entries_per_day?"),
        ({"limits": {"leverage": "much"}}, "limit leverage=much is no number"),
        ({"limits": {"leverage": "0"}}, "limit leverage=0 is out of range"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_mistakes_are_one_line(settings: Settings, changes: Mapping[str, Any], told: str) -> None:
    options = replace(options_for("SPX", start=date(2026, 11, 18)), **changes)
    with pytest.raises(ConfigurationError) as caught:
        backtest_options(ENTRY, options, settings)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_symbol_is_told(settings: Settings, data: Path) -> None:
    with pytest.raises(ConfigurationError, match="no bars of QQQ"):
        backtest_options(ENTRY, options_for("QQQ", (data,)), settings)


def test_the_gate_knows_target_stop_and_hours_of_the_strategy(settings: Settings) -> None:
    strategy = create("spx_breakout", {"profit_target_usd": "123", "stop_loss_usd": "45"})
    asked = request_of(strategy, options_for("SPX"), world(walk()), settings)
    assert (asked.limits.profit_target_usd, asked.limits.stop_loss_usd) == (Decimal(123), Decimal(45))
    assert asked.limits.hours == strategy.hours
    assert asked.limits.max_entries_per_day == 3


def test_a_made_up_market_begins_with_the_history_of_a_desk(settings: Settings) -> None:
    strategy, market = create("spx_breakout"), world(walk())
    assert request_of(strategy, options_for("SPX", (Path("x"),)), market, settings).history_from is None
    begins = request_of(strategy, options_for("SPX"), market, settings).history_from
    assert begins is not None
    assert begins <= market.start - timedelta(days=1)


def test_limits_that_are_given_reach_gate_and_breaker(settings: Settings) -> None:
    limits = request_of(create("spx_breakout"), options_for("SPX"), world(walk()), settings).limits
    wanted = {"entries_per_day": "1", "drawdown_pct": "4", "daily_loss_usd": "2500", "risk_per_day_usd": "9000"}
    changed, breaker = with_limits(limits, BreakerLimits(), wanted)
    assert (changed.max_entries_per_day, changed.max_risk_per_day_usd) == (1, Decimal(9000))
    assert changed.strategy_daily_loss_limit_usd == changed.account_daily_loss_limit_usd == Decimal(2500)
    assert changed.max_drawdown_fraction == breaker.drawdown_fraction == Decimal("0.04")
    assert breaker.daily_loss_usd == Decimal(2500)
    assert with_limits(limits, BreakerLimits(), {}) == (limits, BreakerLimits())
    with pytest.raises(ConfigurationError, match=r"limit entries_per_day=0.5 is out of range: a whole number"):
        with_limits(limits, BreakerLimits(), {"entries_per_day": "0.5"})


def test_bought_options_have_the_run_and_the_gate_of_spreads(settings: Settings, data: Path) -> None:
    entry = STRATEGIES["strangle_momentum"]
    options = options_for("SPX", (data,), start=DAY, settings={"max_premium": "5"}, limits={"risk_per_day_usd": "900"})
    result = backtest_options(entry, options, settings)
    assert result.curve.days == (DAY,)
    assert result.trades
    assert "USD 900 at risk a day" in result.assumptions["limits"]
    assert (result.engine, result.why_not) == ("events", "options")
    with pytest.raises(ConfigurationError, match="--fill close"):
        backtest_options(entry, replace(options, fill="close"), settings)


def test_days_without_a_session_are_passed_over(settings: Settings, data: Path) -> None:
    """Whole months can be asked for, also beyond the data: 30 June is a Sunday, and the file ends on 3 July."""
    options = options_for("SPX", (data,), start=date(2024, 6, 30), end=date(2024, 7, 31), settings=QUICK)
    assert backtest_options(ENTRY, options, settings).curve.days == (date(2024, 7, 1), date(2024, 7, 2), DAY)
    made_up = options_for("SPX", start=date(2026, 11, 14), end=date(2026, 11, 16), settings=QUICK)
    assert backtest_options(ENTRY, made_up, settings).curve.days == (date(2026, 11, 16),)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [(date(2024, 8, 1), None, "from 2024-08-01 on"), (None, date(2024, 6, 28), "up to 2024-06-28")],
)
def test_days_outside_of_the_data_are_told(
    settings: Settings, data: Path, start: date | None, end: date | None, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"the data have no session of SPX {told}"):
        backtest_options(ENTRY, options_for("SPX", (data,), start=start, end=end), settings)


def test_a_weekend_of_the_synthetic_market_is_told(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="there is no session of SPX from 2026-11-14 on"):
        backtest_options(ENTRY, options_for("SPX", start=date(2026, 11, 14)), settings)
