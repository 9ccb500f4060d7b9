"""The numbers that rules compare with. Defaults are those of the specs; what has no sane default must be given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from decimal import Decimal

from htbot.domain.instruments import Underlying
from htbot.domain.signals import SpreadPlan
from htbot.domain.windows import TradingHours
from htbot.portfolio.marks import DEFAULT_TOLERANCE, Tolerance

DEFAULT_HOURS = TradingHours(entry_start=time(10), entry_end=time(15), exit_time=time(15), flat_deadline=time(15, 45))


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one strategy in one account (RULINGS 6, 7, 19, 22; spec 05 section 4). Dollars are positive.

    `minimum_credit` is per unit; None takes the underlying's own. `max_risk_per_day_usd` has no default on purpose.
    `quotes` is what a believable quote may be, `hours` bounds the entry window.
    """

    profit_target_usd: Decimal
    stop_loss_usd: Decimal
    max_risk_per_day_usd: Decimal
    minimum_credit: Decimal | None = None
    max_order_quantity: int = 10
    max_open_orders: int = 20
    max_orders_per_minute: int = 10
    max_entries_per_day: int = 3
    strategy_daily_loss_limit_usd: Decimal = Decimal(600)
    account_daily_loss_limit_usd: Decimal = Decimal(1000)
    max_net_liquidation_fraction: Decimal = Decimal("0.02")
    snapshot_age_limit_s: float = 5.0
    quotes: Tolerance = DEFAULT_TOLERANCE
    hours: TradingHours = DEFAULT_HOURS

    def minimum_credit_of(self, underlying: Underlying, plan: SpreadPlan) -> Decimal:
        """Smallest acceptable credit per unit: the configured one, else the underlying's (RULINGS 22)."""
        if self.minimum_credit is not None:
            return self.minimum_credit
        return underlying.minimum_credit_for(plan.width)

    def floor_credit(self, underlying: Underlying, plan: SpreadPlan) -> Decimal:
        """Credit per unit below which an entry is never filled: the minimum, or what the profit target needs.

        Less than target / (multiplier x quantity) could never reach the target (RULINGS 22), so the entry's limit
        does not walk below it either.
        """
        per_unit = self.profit_target_usd / (underlying.multiplier * plan.quantity)
        return max(self.minimum_credit_of(underlying, plan), per_unit)
