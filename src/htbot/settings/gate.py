"""Limits that an entry passes besides the account's own: exposure, pace, margin and the rules of account types."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator

from htbot.settings.section import Section, variable

Windows = tuple[tuple[time, time], ...]
DEFAULT_WINDOWS: Windows = ((time(23, 45), time(0, 45)),)


def _windows(value: Any) -> Any:
    """`23:45-00:45,12:00-12:05`: clock times, New York; `none` for no window."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "none":
        return ()
    try:
        pairs = [part.strip().split("-") for part in value.split(",")]
        return tuple((time.fromisoformat(start.strip()), time.fromisoformat(end.strip())) for start, end in pairs)
    except ValueError:
        raise ValueError("must be clock times such as 23:45-00:45, several separated by commas, or none") from None


def _existing(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ValueError("no such file")
    return path


class GateSettings(Section):
    """Every entry passes these; closes never do. Percentages are of net liquidation unless said otherwise."""

    title: ClassVar[str] = "Risk gate: what else an entry must pass"

    no_trade_windows: Annotated[Windows, BeforeValidator(_windows)] = variable(
        "NO_TRADE_WINDOWS",
        "nothing is entered at these times, New York, separated by commas (IB's nightly reset), or none",
        default=DEFAULT_WINDOWS,
        shown="23:45-00:45",
    )
    max_signals_per_minute: int = variable(
        "MAX_SIGNALS_PER_MINUTE", "a strategy that signals more often is halted", default=10, ge=1, le=10_000
    )
    max_orders_per_day: int = variable("MAX_ORDERS_PER_DAY", "orders of a day, closes included", default=100, ge=1)
    max_repeated_orders: int = variable(
        "MAX_REPEATED_ORDERS", "entries with the same legs, side and size in the window below", default=2, ge=1, le=1000
    )
    repeated_order_window_s: int = variable(
        "REPEATED_ORDER_WINDOW_SECONDS", "seconds of market time", default=60, ge=1, le=600
    )
    max_concurrent_trades: int = variable(
        "MAX_CONCURRENT_TRADES",
        "trades of the account that are not closed",
        default=5,
        ge=1,
        le=1000,
        aliases=("SCHEDULER_MAX_CONCURRENT_TRADES",),
    )
    daily_trade_limit: int = variable(
        "RISK_DAILY_TRADE_LIMIT", "trades of the account per day, entries only", default=5, ge=1, le=10_000
    )
    weekly_trade_limit: int = variable(
        "RISK_WEEKLY_TRADE_LIMIT", "the same per ISO week, New York", default=20, ge=1, le=50_000
    )
    trade_limits_scope: Literal["all", "cash"] = variable(
        "RISK_TRADE_LIMITS_SCOPE", "accounts that both of them are for", default="all"
    )
    max_order_notional_usd: Decimal = variable(
        "MAX_ORDER_NOTIONAL",
        "strike width x 100 x quantity of one order, or price x shares, USD",
        default=Decimal(50_000),
        gt=0,
    )
    max_position_size_usd: Decimal = variable(
        "MAX_POSITION_SIZE",
        "USD in one underlying, spreads by their maximum loss, shares by their price",
        default=Decimal(10_000),
        gt=0,
    )
    max_single_position_pct: Decimal = variable(
        "RISK_MAX_SINGLE_POSITION_PCT",
        "maximum loss of one spread, price of shares, percent",
        default=Decimal(5),
        gt=0,
        le=100,
    )
    max_symbol_exposure_pct: Decimal = variable(
        "RISK_MAX_SYMBOL_EXPOSURE_PCT",
        "the same of everything in one underlying, percent",
        default=Decimal(10),
        gt=0,
        le=100,
        aliases=("MAX_SYMBOL_EXPOSURE_PCT",),
    )
    max_leverage: Decimal = variable(
        "MAX_LEVERAGE", "all positions and this trade, as a multiple of net liquidation", default=Decimal("2.0"), gt=0
    )
    max_drawdown_pct: Decimal = variable(
        "MAX_DRAWDOWN_PCT",
        "fall of the equity from its peak, percent, at which nothing is entered and the breaker trips",
        default=Decimal(10),
        gt=0,
        le=100,
    )
    price_collar_pct: Decimal = variable(
        "PRICE_COLLAR_PCT", "an entry's limit is this near the mid, percent of it", default=Decimal(20), gt=0, le=100
    )
    plain_collar_pct: Decimal = variable(
        "PLAIN_COLLAR_PCT",
        "an entry of shares stays this near their last trade, percent of it",
        default=Decimal("0.5"),
        gt=0,
        le=20,
    )
    price_collar_ticks: int = variable("PRICE_COLLAR_TICKS", "or this many ticks, if more", default=4, ge=0, le=1000)
    account_type: Literal["auto", "cash", "margin"] = variable(
        "RISK_ACCOUNT_TYPE", "cash or margin; auto: as the broker's buying power tells", default="auto"
    )
    daytrade_regime: Literal["auto", "legacy_pdt", "intraday_margin", "off"] = variable(
        "RISK_DAYTRADE_REGIME", "rule on day trades; auto: as the broker still counts them or not", default="auto"
    )
    pdt_enforcement: Literal["strict", "warning"] = variable(
        "RISK_PDT_ENFORCEMENT_MODE", "refuse entries by that rule, or allow them and tell", default="strict"
    )
    intraday_margin_buffer_pct: Decimal = variable(
        "RISK_INTRADAY_MARGIN_BUFFER_PCT",
        "excess liquidity left after a trade, percent",
        default=Decimal(5),
        ge=0,
        le=100,
    )
    gfv_enforcement: Literal["warning", "strict"] = variable(
        "RISK_GFV_ENFORCEMENT_MODE", "cash accounts: entries beyond settled cash are told or refused", default="warning"
    )
    gfv_limit: int = variable(
        "RISK_GFV_LIMIT",
        "cash accounts: good-faith violations within 12 months after which only settled cash is spent for 90 days",
        default=3,
        ge=1,
        le=100,
    )
    settlement_days: int = variable(
        "RISK_SETTLEMENT_DAYS",
        "business days until a sale is cash, where the broker does not say",
        default=1,
        ge=0,
        le=5,
    )
    margin_buffer_pct: Decimal = variable(
        "MARGIN_BUFFER_PCT", "what the broker's what-if must leave free, percent", default=Decimal(5), ge=0, le=100
    )
    margin_fallback: Literal["none", "formula"] = variable(
        "MARGIN_FALLBACK", "without its answer: refuse, or reckon with available funds", default="none"
    )
    dividends: Annotated[Path | None, AfterValidator(_existing)] = variable(
        "RISK_DIVIDENDS_FILE", "CSV with symbol,ex_date: no calls are sold before an ex-date; unset: not looked at"
    )
