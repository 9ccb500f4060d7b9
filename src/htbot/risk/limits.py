"""The numbers that rules compare with. Defaults are those of the specs; what has no sane default must be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from htbot.domain.accounts import AccountKind
from htbot.domain.instruments import Underlying
from htbot.domain.signals import SpreadPlan
from htbot.domain.windows import TradingHours
from htbot.portfolio.marks import DEFAULT_TOLERANCE, Tolerance

_CENTI = Decimal("0.01")


class DayTradeRegime(StrEnum):
    """Which rule on day trades the account is under (spec 03 section 7c)."""

    AUTO = "auto"
    LEGACY_PDT = "legacy_pdt"
    INTRADAY_MARGIN = "intraday_margin"
    OFF = "off"


NIGHTLY_RESET = (time(23, 45), time(0, 45))
"""IB resets its systems around midnight New York; operating then is not advised."""

DEFAULT_HOURS = TradingHours(entry_start=time(10), entry_end=time(15), exit_time=time(15), flat_deadline=time(15, 45))


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one strategy in one account (RULINGS 6, 7, 19, 22; spec 05 section 4). Dollars are positive.

    `minimum_credit` is per unit; None takes the underlying's own. `max_risk_per_day_usd` has no default on purpose.
    `quotes` is what a believable quote may be, `hours` bounds the entry window.

    Fractions are of net liquidation, `price_collar_fraction` of the mid, `plain_collar_fraction` of a stock's last
    price. `no_trade_windows` are New York clock times, from inclusive to exclusive, over midnight when the end is
    earlier. `account_kind` None takes what the broker's
    figures tell. `max_drawdown_fraction` None switches the rule off. `ex_dividends` are ex-dates by symbol, None when
    nobody has given any. `pdt_strict` and `gfv_strict` False warn instead of refusing.
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
    max_signals_per_minute: int = 10
    max_orders_per_day: int = 100
    max_repeated_orders: int = 2
    repeated_order_window_s: float = 60.0
    max_concurrent_trades: int = 5
    daily_trade_limit: int = 5
    weekly_trade_limit: int = 20
    trade_limits_for_cash_only: bool = False
    max_order_notional_usd: Decimal = Decimal(50_000)
    max_position_size_usd: Decimal = Decimal(10_000)
    max_single_position_fraction: Decimal = 5 * _CENTI
    max_symbol_exposure_fraction: Decimal = 10 * _CENTI
    max_leverage: Decimal = Decimal(2)
    max_drawdown_fraction: Decimal | None = 10 * _CENTI
    price_collar_fraction: Decimal = 20 * _CENTI
    price_collar_ticks: int = 4
    plain_collar_fraction: Decimal = _CENTI / 2
    no_trade_windows: tuple[tuple[time, time], ...] = (NIGHTLY_RESET,)
    account_kind: AccountKind | None = None
    day_trade_regime: DayTradeRegime = DayTradeRegime.AUTO
    pdt_strict: bool = True
    intraday_margin_buffer_fraction: Decimal = 5 * _CENTI
    gfv_strict: bool = False
    gfv_limit: int = 3
    settlement_days: int = 1
    margin_buffer_fraction: Decimal = 5 * _CENTI
    margin_formula_when_unknown: bool = False
    ex_dividends: Mapping[str, tuple[date, ...]] | None = None
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
