"""The configured strategy: the one place that turns settings into it."""

from __future__ import annotations

from typing import Any

from htbot.settings import Settings
from htbot.strategies.base import Strategy
from htbot.strategies.registry import create

STRATEGY_NAME = "spx_breakout"


def build_strategy(settings: Settings) -> Strategy[Any]:
    """Strategy 1 as configured."""
    chosen = settings.strategy
    values = {
        "symbol": chosen.symbol,
        "bar_minutes": chosen.bar_minutes,
        "rsi_window": chosen.rsi_window,
        "ema_span": chosen.ema_span,
        "rsi_ema_bull": chosen.rsi_ema_bull,
        "rsi_ema_bear": chosen.rsi_ema_bear,
        "trend_warmup": chosen.trend_warmup,
        "breakout_confirm": chosen.breakout_confirm,
        "entry_start": chosen.entry_start,
        "entry_end": chosen.entry_end,
        "exit_time": chosen.exit_time,
        "flat_deadline": chosen.flat_deadline_override,
        "short_index": chosen.short_index,
        "long_index": chosen.long_index,
        "spread_width_strikes": chosen.spread_width_strikes,
        "strike_range": chosen.strike_range,
        "quantity": chosen.quantity,
        "profit_target_usd": chosen.profit_target,
        "stop_loss_usd": chosen.stop_loss,
        "pnl_basis": chosen.pnl_basis,
        "take_profit_pct_of_credit": chosen.take_profit_pct_of_credit,
    }
    return create(STRATEGY_NAME, values)
