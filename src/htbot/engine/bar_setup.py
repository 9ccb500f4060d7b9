"""The bar loop as a strategy's configuration wants it: one place for backtest and observation."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from htbot.engine.bar_account import BIG, MICRO, BarAccount, BarFees, BarLimits
from htbot.engine.bar_loop import BarLoop
from htbot.strategies.bar_strategy import BarConfig, BarStrategy, minutes_of

FEES: Mapping[str, tuple[int, int, int]] = {"fixed": (5_000, 1_000_000, 100), "none": (0, 0, 0)}
"""USD 0.005 a share, at least 1.00, at most 1 % of the value (`matching.fees`)."""


def loop_of(
    strategy: BarStrategy, cash: Decimal, fees: tuple[int, int, int] = FEES["fixed"], limits: BarLimits | None = None
) -> BarLoop:
    """A loop under the rule `close` with `cash` dollars; its limits are those given and the configuration's own."""
    config: BarConfig = strategy.config
    loop = BarLoop(strategy, BarAccount(_micro(cash)), BarFees(*fees))
    loop.point_value = config.point_value
    loop.allow_short = config.allow_short
    loop.entry_from, loop.entry_until = minutes_of(config.entry_start), minutes_of(config.entry_end)
    loop.cooldown_s = config.cooldown_minutes * 60
    loop.sizing.fixed = config.quantity
    loop.sizing.by_confidence = config.sizing == "confidence"
    _plan_exits(loop, config)
    if limits is not None:
        loop.limits = limits
    if config.max_entries_per_day is not None:
        loop.own_entries_a_day = config.max_entries_per_day
    return loop


def _plan_exits(loop: BarLoop, config: BarConfig) -> None:
    plan = loop.exits
    plan.overnight = config.exit_time is None
    plan.exit_minute = BIG if config.exit_time is None else minutes_of(config.exit_time)
    plan.target_u = BIG if config.profit_target_usd is None else _micro(config.profit_target_usd)
    plan.stop_u = BIG if config.stop_loss_usd is None else _micro(config.stop_loss_usd)
    plan.levels = config.profit_levels
    plan.gains = [config.profit_level_1, config.profit_level_2, config.profit_level_3]
    plan.shares = [config.profit_share_1, config.profit_share_2, 1.0]
    plan.hold_days = BIG if config.max_hold_days is None else config.max_hold_days


def _micro(value: Decimal) -> int:
    return int(value * MICRO)
