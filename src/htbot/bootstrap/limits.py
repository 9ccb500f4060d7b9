"""Limits of the gate and exits of a trade, from the settings."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from htbot.domain.accounts import AccountKind
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.trades import ExitRules
from htbot.domain.windows import TradingHours, TradingWindow
from htbot.engine.share_entries import hours_of
from htbot.execution.disagreement import Patience
from htbot.execution.silence import DEFAULT_SILENCE, Silence
from htbot.portfolio.marks import Tolerance
from htbot.risk.breaker import BreakerLimits
from htbot.risk.limits import DayTradeRegime, Limits
from htbot.services.manual_signal import STRATEGY, ManualTerms
from htbot.settings import Settings
from htbot.strategies.bar_strategy import BarConfig
from htbot.strategies.base import Strategy

_PERCENT = Decimal(100)
# RISK_PROFILE=chaos: what a load or chaos run must not be stopped by. Everything else of the gate stays as it is.
_UNLIMITED_USD = Decimal(1_000_000_000)
_CHAOS: Mapping[str, Any] = {
    "max_risk_per_day_usd": _UNLIMITED_USD,
    "strategy_daily_loss_limit_usd": _UNLIMITED_USD,
    "account_daily_loss_limit_usd": _UNLIMITED_USD,
    "max_net_liquidation_fraction": _UNLIMITED_USD,
    "max_open_orders": 1_000_000,
    "max_orders_per_minute": 1_000_000,
    "max_entries_per_day": 1_000_000,
    "max_signals_per_minute": 1_000_000,
    "max_orders_per_day": 1_000_000,
    "max_repeated_orders": 1_000_000,
    "max_concurrent_trades": 1_000_000,
    "daily_trade_limit": 1_000_000,
    "weekly_trade_limit": 1_000_000,
    "max_order_notional_usd": _UNLIMITED_USD,
    "max_position_size_usd": _UNLIMITED_USD,
    "max_single_position_fraction": _UNLIMITED_USD,
    "max_symbol_exposure_fraction": _UNLIMITED_USD,
    "max_leverage": _UNLIMITED_USD,
    "max_drawdown_fraction": None,
}
# The built-in gateway lists an order within milliseconds. Sooner means more orders in doubt and more proofs of absence
# that are contradicted later: a run tries the protocol harder, and more often in the same time.
_SOON = Silence(answer_within_s=3.0, settle_s=3.0)
_NEVER_TRIPS = BreakerLimits(daily_loss_usd=_UNLIMITED_USD, drawdown_fraction=_UNLIMITED_USD, most_rejects=1_000_000)


def broker_silence(settings: Settings) -> Silence:
    """How long the broker may be silent about an order."""
    return _SOON if settings.risk.profile == "chaos" else DEFAULT_SILENCE


def patience(settings: Settings) -> Patience:
    """How long books and broker may disagree."""
    return Patience(halts=settings.risk.recon_halt)


def risk_limits(settings: Settings, symbol: str) -> Limits:
    """What the gate compares with. Dollars set for the strategy's own underlying do not fit another one's spreads."""
    chosen, account, gate = settings.strategy, settings.risk, settings.gate
    facts = UNDERLYINGS[symbol]
    own = symbol == chosen.symbol
    limits = Limits(
        profit_target_usd=(chosen.profit_target if own else None) or facts.profit_target_usd,
        stop_loss_usd=(chosen.stop_loss if own else None) or facts.stop_loss_usd,
        max_risk_per_day_usd=settings.max_risk_per_day_usd,
        minimum_credit=chosen.min_credit if own else None,
        max_order_quantity=account.max_order_qty,
        max_open_orders=account.max_open_orders,
        max_orders_per_minute=account.max_orders_per_minute,
        max_entries_per_day=chosen.max_entries_per_day,
        strategy_daily_loss_limit_usd=chosen.daily_loss_limit_usd,
        account_daily_loss_limit_usd=account.daily_loss_limit_usd,
        quotes=Tolerance(
            width_usd=account.max_spread_width_usd,
            width_fraction=Decimal(str(account.max_spread_width_pct)) / _PERCENT,
        ),
        hours=trading_hours(settings, symbol),
        max_signals_per_minute=gate.max_signals_per_minute,
        max_orders_per_day=gate.max_orders_per_day,
        max_repeated_orders=gate.max_repeated_orders,
        repeated_order_window_s=gate.repeated_order_window_s,
        max_concurrent_trades=gate.max_concurrent_trades,
        daily_trade_limit=gate.daily_trade_limit,
        weekly_trade_limit=gate.weekly_trade_limit,
        trade_limits_for_cash_only=gate.trade_limits_scope == "cash",
        max_order_notional_usd=gate.max_order_notional_usd,
        max_position_size_usd=gate.max_position_size_usd,
        max_single_position_fraction=gate.max_single_position_pct / _PERCENT,
        max_symbol_exposure_fraction=gate.max_symbol_exposure_pct / _PERCENT,
        max_leverage=gate.max_leverage,
        max_drawdown_fraction=gate.max_drawdown_pct / _PERCENT,
        price_collar_fraction=gate.price_collar_pct / _PERCENT,
        plain_collar_fraction=gate.plain_collar_pct / _PERCENT,
        price_collar_ticks=gate.price_collar_ticks,
        no_trade_windows=gate.no_trade_windows,
        account_kind=None if gate.account_type == "auto" else AccountKind(gate.account_type),
        day_trade_regime=DayTradeRegime(gate.daytrade_regime),
        pdt_strict=gate.pdt_enforcement == "strict",
        intraday_margin_buffer_fraction=gate.intraday_margin_buffer_pct / _PERCENT,
        settlement_days=gate.settlement_days,
        gfv_strict=gate.gfv_enforcement == "strict",
        gfv_limit=gate.gfv_limit,
        margin_buffer_fraction=gate.margin_buffer_pct / _PERCENT,
        margin_formula_when_unknown=gate.margin_fallback == "formula",
        ex_dividends=None if gate.dividends is None else read_ex_dividends(gate.dividends),
    )
    return replace(limits, **_CHAOS) if account.profile == "chaos" else limits


def spread_limits(settings: Settings, strategy: Strategy[Any]) -> Limits:
    """The same for a strategy on options of any kind: its own hours, target and stop, everything else the account's."""
    limits, any_day = risk_limits(settings, strategy.needs.symbol), datetime(2000, 1, 3, tzinfo=UTC)
    rules = strategy.exit_rules(TradingWindow(any_day, any_day, any_day, any_day))
    return replace(
        limits,
        profit_target_usd=rules.profit_target_usd or limits.profit_target_usd,
        stop_loss_usd=rules.stop_loss_usd or limits.stop_loss_usd,
        hours=strategy.hours,
    )


def plain_limits(settings: Settings, config: BarConfig) -> Limits:
    """The same for a strategy on a stock or fund: its own hours and entries a day, everything else the account's."""
    limits = risk_limits(settings, settings.strategy.symbol)
    most = config.max_entries_per_day
    return replace(
        limits,
        hours=hours_of(config, limits.hours),
        max_entries_per_day=limits.max_entries_per_day if most is None else most,
    )


def read_ex_dividends(path: Path) -> dict[str, tuple[date, ...]]:
    """Ex-dates by symbol, from a CSV with the columns `symbol` and `ex_date` (ISO).

    Raises:
        ConfigurationError: there is no such file, or a row is not one.
    """
    named = f"RISK_DIVIDENDS_FILE={path}: needs rows of symbol,ex_date such as SPY,2026-12-18"
    found: dict[str, list[date]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            table = csv.DictReader(lines)
            columns = set(table.fieldnames or ())
            for row in table:
                found.setdefault(row["symbol"].strip().upper(), []).append(date.fromisoformat(row["ex_date"].strip()))
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{named} ({error})") from error
    if not {"symbol", "ex_date"} <= columns:
        raise ConfigurationError(f"{named}, below a line that names these columns")
    return {symbol: tuple(sorted(dates)) for symbol, dates in found.items()}


def breaker_limits(settings: Settings) -> BreakerLimits:
    """What trips the breaker of the account."""
    account = settings.risk
    share = account.max_daily_loss_pct
    limits = BreakerLimits(
        daily_loss_usd=account.daily_loss_limit_usd,
        daily_loss_fraction=None if share is None else Decimal(str(share)) / _PERCENT,
        drawdown_fraction=settings.gate.max_drawdown_pct / _PERCENT,
    )
    return _NEVER_TRIPS if account.profile == "chaos" else limits


def trading_hours(settings: Settings, symbol: str) -> TradingHours:
    """When spreads on an underlying may be entered and must be closed, New York."""
    chosen = settings.strategy
    underlying = UNDERLYINGS[symbol]
    own = symbol == chosen.symbol or underlying.cash_settled
    deadline: time = chosen.flat_deadline if own else underlying.flat_by
    return TradingHours(chosen.entry_start, chosen.entry_end, min(chosen.exit_time, deadline), deadline)


def manual_terms(settings: Settings, symbol: str) -> ManualTerms:
    """Terms of a spread that a person proposes: the same limits, target, stop and times as the strategy's."""
    limits = risk_limits(settings, symbol)
    percent = settings.strategy.take_profit_pct_of_credit

    def rules(window: TradingWindow) -> ExitRules:
        return ExitRules(
            profit_target_usd=limits.profit_target_usd,
            stop_loss_usd=limits.stop_loss_usd,
            exit_at=window.exit_at,
            flat_deadline=window.flat_deadline,
            pnl_basis=settings.strategy.pnl_basis,
            take_profit_fraction=None if percent is None else percent / _PERCENT,
        )

    identity = f"{STRATEGY}|{symbol}|{limits}|{settings.strategy.pnl_basis}|{percent}"
    return ManualTerms(limits, rules, hashlib.sha256(identity.encode()).hexdigest()[:12])
