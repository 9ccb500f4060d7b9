"""Limits of the gate and exits of a trade, from the settings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import time
from decimal import Decimal
from typing import Any

from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.trades import ExitRules
from htbot.domain.windows import TradingHours, TradingWindow
from htbot.portfolio.marks import Tolerance
from htbot.risk.limits import Limits
from htbot.services.manual_signal import STRATEGY, ManualTerms
from htbot.settings import Settings
from htbot.settings.strategy import ETF_FLAT_BY

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
}


def risk_limits(settings: Settings, symbol: str) -> Limits:
    """What the gate compares with. Dollars set for the strategy's own underlying do not fit another one's spreads."""
    chosen, account = settings.strategy, settings.risk
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
    )
    return replace(limits, **_CHAOS) if account.profile == "chaos" else limits


def trading_hours(settings: Settings, symbol: str) -> TradingHours:
    """When spreads on an underlying may be entered and must be closed, New York."""
    chosen = settings.strategy
    settled_in_cash = UNDERLYINGS[symbol].cash_settled
    deadline: time = chosen.flat_deadline if symbol == chosen.symbol or settled_in_cash else ETF_FLAT_BY
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
