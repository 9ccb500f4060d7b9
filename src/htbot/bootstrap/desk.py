"""Composition root of the desk: picks the broker's session, the clock and the pace that fit the settings."""

from __future__ import annotations

from dataclasses import dataclass

from htbot.bootstrap.limits import risk_limits
from htbot.domain.instruments import UNDERLYINGS, Underlying
from htbot.domain.sessions import SESSION_MINUTES
from htbot.domain.windows import TradingHours
from htbot.marketdata.clock_state import Mode
from htbot.persistence.engine import Database, EngineOptions
from htbot.risk.flood import FloodLimits
from htbot.settings import Settings

# RULINGS 20: at least this many regular-hours bars before the first session.
HISTORY_BARS = 600
_USUAL_LINES = 100
"""What IB gives an account without quote booster packs."""


@dataclass(frozen=True, slots=True)
class DeskWorld:
    """What kind of market time the desk lives in."""

    mode: Mode
    speed: float | None


def desk_world(settings: Settings) -> DeskWorld:
    """Stepped or paced on the paper gateway, the broker's own pace elsewhere."""
    if settings.ib.is_live:
        return DeskWorld(Mode.LIVE, 1.0)
    if not settings.ib.builtin_paper:
        return DeskWorld(Mode.PAPER, 1.0)
    if settings.paper.stepped:
        return DeskWorld(Mode.STEPPED, None)
    return DeskWorld(Mode.PAPER, float(settings.paper.speed))


def history_days(bar_minutes: int, bars: int = HISTORY_BARS) -> int:
    """Sessions to ask for, so that `bars` are there even with a short day among them, and never less than 600."""
    per_session = max(1, SESSION_MINUTES // bar_minutes)  # a bar may be a whole session
    return -(-max(bars, HISTORY_BARS) // per_session) + 2


def trading_hours(settings: Settings) -> TradingHours:
    """The strategy's hours."""
    chosen = settings.strategy
    return TradingHours(chosen.entry_start, chosen.entry_end, chosen.exit_time, chosen.flat_deadline)


def data_lines(settings: Settings) -> int:
    """How many quotes the broker streams at one time."""
    return settings.ib.data_lines or (settings.paper.lines if settings.ib.builtin_paper else _USUAL_LINES)


def throttled(settings: Settings) -> bool:
    """Whether to keep to the broker's messages a second: always, but for a paper gateway that does not count them."""
    return not (settings.ib.builtin_paper and settings.paper.pace == "off")


def reserved_database(settings: Settings, name: str) -> Database:
    """A database with one connection of its own."""
    options = EngineOptions(application_name=f"htbot-desk-{name}", pool_size=1, max_overflow=0, ping_first=False)
    return Database(settings.database.app_url, options)


def underlying_of(settings: Settings) -> Underlying:
    """Facts of the underlying that the strategy trades."""
    return UNDERLYINGS[settings.strategy.symbol]


def flood_limits(settings: Settings) -> FloodLimits:
    """How fast and how alike entries may be at the wire: the gate's own numbers, looked at once more."""
    limits = risk_limits(settings, settings.strategy.symbol)
    return FloodLimits(limits.max_orders_per_minute, limits.max_repeated_orders, limits.repeated_order_window_s)
