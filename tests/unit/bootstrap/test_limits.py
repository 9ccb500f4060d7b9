from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from htbot.bootstrap.limits import breaker_limits, manual_terms, patience, risk_limits, trading_hours
from htbot.domain.accounts import AccountKind
from htbot.domain.errors import ConfigurationError
from htbot.domain.sessions import NEW_YORK, Session
from htbot.marketdata.sessions import trading_window
from htbot.risk.breaker import BreakerLimits
from htbot.risk.limits import DayTradeRegime, Limits
from htbot.settings import Settings, load_settings


def read(tmp_path: Path, **given: str) -> Settings:
    return load_settings(tmp_path, given)


def test_defaults_are_those_of_the_underlying(tmp_path: Path) -> None:
    limits = risk_limits(read(tmp_path, HTBOT_SYMBOL="SPY"), "SPY")
    assert (limits.profit_target_usd, limits.stop_loss_usd) == (40, 20)
    assert limits.max_risk_per_day_usd == 12_000
    assert limits.hours.flat_deadline == time(15, 30)


def test_dollars_set_for_one_underlying_do_not_fit_another(tmp_path: Path) -> None:
    settings = read(tmp_path, HTBOT_SYMBOL="SPX", HTBOT_PROFIT_TARGET="500", HTBOT_MIN_CREDIT="1.50")
    assert risk_limits(settings, "SPX").profit_target_usd == 500
    assert risk_limits(settings, "SPX").minimum_credit == Decimal("1.50")
    assert risk_limits(settings, "QQQ").profit_target_usd == 40
    assert risk_limits(settings, "QQQ").minimum_credit is None


@pytest.mark.parametrize(("symbol", "deadline"), [("SPX", time(15, 45)), ("SPY", time(15, 30))])
def test_what_settles_in_shares_is_flat_earlier(tmp_path: Path, symbol: str, deadline: time) -> None:
    hours = trading_hours(read(tmp_path, HTBOT_SYMBOL="SPX"), symbol)
    assert hours.flat_deadline == deadline
    assert hours.exit_time <= deadline


def test_spread_by_hand_has_the_strategys_exits(tmp_path: Path) -> None:
    settings = read(tmp_path, HTBOT_SYMBOL="SPX", HTBOT_TAKE_PROFIT_PCT_OF_CREDIT="50", HTBOT_PNL_BASIS="natural")
    terms = manual_terms(settings, "SPX")
    day = date(2022, 8, 26)
    blank = Session(day, *(Session(day, None, None).at(hour, 30) for hour in (9, 16)))  # type: ignore[arg-type]
    rules = terms.exit_rules(trading_window(blank, terms.limits.hours))
    assert (rules.profit_target_usd, rules.stop_loss_usd, rules.pnl_basis) == (400, 200, "natural")
    assert rules.take_profit_fraction == Decimal("0.5")
    assert rules.flat_deadline.astimezone(NEW_YORK).time() == time(15, 45)


def test_hash_tells_terms_apart(tmp_path: Path) -> None:
    first, second = (read(tmp_path, HTBOT_STOP_LOSS=stop) for stop in ("200", "250"))
    assert manual_terms(first, "SPX").config_hash == manual_terms(first, "SPX").config_hash
    assert manual_terms(first, "SPX").config_hash != manual_terms(second, "SPX").config_hash


def test_every_limit_of_the_gate_can_be_set(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        MAX_POSITION_SIZE="20000",
        RISK_MAX_SINGLE_POSITION_PCT="4",
        MAX_SYMBOL_EXPOSURE_PCT="12.5",
        MAX_LEVERAGE="1.5",
        MAX_ORDER_NOTIONAL="8000",
        MAX_ORDERS_PER_DAY="30",
        MAX_SIGNALS_PER_MINUTE="3",
        MAX_REPEATED_ORDERS="1",
        REPEATED_ORDER_WINDOW_SECONDS="30",
        SCHEDULER_MAX_CONCURRENT_TRADES="2",
        RISK_DAILY_TRADE_LIMIT="4",
        RISK_WEEKLY_TRADE_LIMIT="9",
        RISK_TRADE_LIMITS_SCOPE="cash",
        MAX_DRAWDOWN_PCT="8",
        PRICE_COLLAR_PCT="15",
        PRICE_COLLAR_TICKS="2",
        RISK_ACCOUNT_TYPE="cash",
        RISK_DAYTRADE_REGIME="legacy_pdt",
        RISK_PDT_ENFORCEMENT_MODE="warning",
        RISK_INTRADAY_MARGIN_BUFFER_PCT="6",
        RISK_GFV_ENFORCEMENT_MODE="strict",
        MARGIN_BUFFER_PCT="7",
        RISK_SETTLEMENT_DAYS="2",
        RISK_GFV_LIMIT="2",
        MARGIN_FALLBACK="formula",
    )
    limits = risk_limits(settings, "SPX")
    assert (limits.max_position_size_usd, limits.max_order_notional_usd, limits.max_leverage) == (
        20_000,
        8_000,
        Decimal("1.5"),
    )
    assert (limits.max_single_position_fraction, limits.max_symbol_exposure_fraction) == (
        Decimal("0.04"),
        Decimal("0.125"),
    )
    assert (limits.max_orders_per_day, limits.max_signals_per_minute, limits.max_concurrent_trades) == (30, 3, 2)
    assert (limits.max_repeated_orders, limits.repeated_order_window_s) == (1, 30)
    assert (limits.daily_trade_limit, limits.weekly_trade_limit, limits.trade_limits_for_cash_only) == (4, 9, True)
    assert (limits.price_collar_fraction, limits.price_collar_ticks) == (Decimal("0.15"), 2)
    assert (limits.account_kind, limits.day_trade_regime) == (AccountKind.CASH, DayTradeRegime.LEGACY_PDT)
    assert (limits.pdt_strict, limits.gfv_strict, limits.margin_formula_when_unknown) == (False, True, True)
    assert (limits.settlement_days, limits.gfv_limit) == (2, 2)
    assert (limits.max_drawdown_fraction, limits.intraday_margin_buffer_fraction, limits.margin_buffer_fraction) == (
        Decimal("0.08"),
        Decimal("0.06"),
        Decimal("0.07"),
    )


def test_defaults_of_the_settings_are_those_of_the_limits(tmp_path: Path) -> None:
    own = risk_limits(read(tmp_path), "SPX")
    bare = Limits(own.profit_target_usd, own.stop_loss_usd, own.max_risk_per_day_usd)
    assert replace(own, quotes=bare.quotes, hours=bare.hours) == bare


def test_ex_dates_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "dividends.csv"
    path.write_text("symbol,ex_date,amount\nspy,2026-12-18,1.9\nQQQ,2026-12-21,0.7\nSPY,2026-09-18,1.8\n")
    limits = risk_limits(read(tmp_path, RISK_DIVIDENDS_FILE="dividends.csv"), "SPY")
    assert limits.ex_dividends == {"SPY": (date(2026, 9, 18), date(2026, 12, 18)), "QQQ": (date(2026, 12, 21),)}
    assert risk_limits(read(tmp_path), "SPY").ex_dividends is None


@pytest.mark.parametrize("text", ["SPY,2026-12-18\n", "symbol,ex_date\nSPY,18.12.2026\n", "symbol,ex_date\nSPY\n"])
def test_a_file_that_is_none_of_ex_dates_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dividends.csv"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"RISK_DIVIDENDS_FILE=.*dividends.csv: needs rows"):
        risk_limits(read(tmp_path, RISK_DIVIDENDS_FILE=str(path)), "SPY")


@pytest.mark.parametrize("halts", [True, False])
def test_whether_a_disagreement_halts_is_a_setting(tmp_path: Path, halts: bool) -> None:
    assert patience(read(tmp_path, RECON_HALT=str(halts).lower())).halts is halts
    assert patience(read(tmp_path)).halts


def test_the_breaker_trips_as_the_settings_say(tmp_path: Path) -> None:
    assert breaker_limits(read(tmp_path)) == BreakerLimits()
    given = read(tmp_path, DAILY_LOSS_LIMIT="700", MAX_DAILY_LOSS_PCT="1.5", MAX_DRAWDOWN_PCT="7.5")
    found = breaker_limits(given)
    assert (found.daily_loss_usd, found.daily_loss_fraction, found.drawdown_fraction) == (
        Decimal(700),
        Decimal("0.015"),
        Decimal("0.075"),
    )


@pytest.mark.ruling(33)
def test_the_chaos_profile_lifts_numbers_and_losses_and_nothing_else(tmp_path: Path) -> None:
    usual, lifted = (risk_limits(read(tmp_path, RISK_PROFILE=name), "SPX") for name in ("standard", "chaos"))
    for name in ("max_open_orders", "max_orders_per_minute", "max_entries_per_day", "max_risk_per_day_usd"):
        assert getattr(lifted, name) > 1000 * getattr(usual, name)
    for name in ("profit_target_usd", "stop_loss_usd", "max_order_quantity", "quotes", "hours", "snapshot_age_limit_s"):
        assert getattr(lifted, name) == getattr(usual, name)
