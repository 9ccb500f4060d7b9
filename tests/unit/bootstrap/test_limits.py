from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from htbot.bootstrap.limits import manual_terms, risk_limits, trading_hours
from htbot.domain.sessions import NEW_YORK, Session
from htbot.marketdata.sessions import trading_window
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


@pytest.mark.ruling(33)
def test_the_chaos_profile_lifts_numbers_and_losses_and_nothing_else(tmp_path: Path) -> None:
    usual, lifted = (risk_limits(read(tmp_path, RISK_PROFILE=name), "SPX") for name in ("standard", "chaos"))
    for name in ("max_open_orders", "max_orders_per_minute", "max_entries_per_day", "max_risk_per_day_usd"):
        assert getattr(lifted, name) > 1000 * getattr(usual, name)
    for name in ("profit_target_usd", "stop_loss_usd", "max_order_quantity", "quotes", "hours", "snapshot_age_limit_s"):
        assert getattr(lifted, name) == getattr(usual, name)
