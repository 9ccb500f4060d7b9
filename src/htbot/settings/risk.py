"""Limits of the account. A strategy's own limits stand in its section and may only be tighter."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import SecretStr

from htbot.settings.section import Section, variable

PAPER_MAX_RISK_PER_DAY_USD = Decimal(12_000)
"""Default of MAX_RISK_PER_DAY on paper; live has none (RULINGS 7)."""


class RiskSettings(Section):
    """Limits that every order of the account passes."""

    title: ClassVar[str] = "Account limits"

    profile: Literal["standard", "chaos"] = variable(
        "RISK_PROFILE",
        "chaos lifts limits of number and loss and asks a silent broker sooner, on the built-in paper gateway only",
        default="standard",
    )
    daily_loss_limit_usd: Decimal = variable(
        "DAILY_LOSS_LIMIT",
        "loss of a day in USD, open trades and commissions included, that trips the breaker; realised: no entries",
        default=Decimal(1000),
        gt=0,
        le=1_000_000,
    )
    max_risk_per_day_usd: Decimal | None = variable(
        "MAX_RISK_PER_DAY",
        "realised loss + open maximum loss + next trade's maximum loss, USD; 12000 on paper, required when live",
        gt=0,
        le=10_000_000,
    )
    recon_halt: bool = variable(
        "RECON_HALT",
        "entries are halted, until a person resumes, when books and broker have disagreed for five minutes",
        default=True,
    )
    max_daily_loss_pct: float | None = variable(
        "MAX_DAILY_LOSS_PCT",
        "the same as percent of the net liquidation at the session's start; unset: only USD counts",
        gt=0,
        le=100,
    )
    breaker_flatten: bool = variable(
        "BREAKER_FLATTEN", "a trip of the breaker closes every position; false: it only ends entries", default=True
    )
    pin: SecretStr | None = variable(
        "HTBOT_PIN", "number or word that resets a tripped breaker; unset: nobody can", min_length=6, max_length=64
    )
    max_order_qty: int = variable("MAX_ORDER_QTY", "contracts or combos per order", default=10, ge=1, le=1000)
    max_open_orders: int = variable("MAX_OPEN_ORDERS", "orders working at once", default=20, ge=1, le=500)
    max_orders_per_minute: int = variable("MAX_ORDERS_PER_MINUTE", "entries sent per minute", default=10, ge=1, le=300)
    max_spread_width_usd: Decimal = variable(
        "MAX_SPREAD_WIDTH",
        "quotes of a combo are believed up to this bid-ask width in USD per unit, or the share below if larger",
        default=Decimal("0.60"),
        gt=0,
        le=100,
    )
    max_spread_width_pct: float = variable(
        "MAX_SPREAD_WIDTH_PCT", "the same as percent of the combo's mid", default=40.0, gt=0, le=100, shown="40"
    )
