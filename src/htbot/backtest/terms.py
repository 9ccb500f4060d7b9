"""On what terms orders of the desk are backtested: which days, whose account, what the broker asks, what stops it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.errors import ConfigurationError
from htbot.domain.sessions import NEW_YORK, Session
from htbot.market.ports import Market
from htbot.matching.fees import Plan
from htbot.matching.view import FillRules
from htbot.risk.breaker import BreakerLimits


@dataclass(frozen=True, slots=True)
class Terms:
    """What a backtest is played on, whoever trades in it.

    `first` and `last` are session days of the market, None its first or last one with prices. Until `enabled_after`
    nothing is entered: a live desk compares books first. The broker tells the values of the account every three minutes
    since `told_from` and on every fill of its login, None at once. `latency_s` is market time from an order to the
    exchange. With `flatten_on_trip` a trip of the breaker closes what is open. Options that end in shares are closed at
    what they are in the money by, as a person would close them; without `deliveries` nobody does, and they stay open.
    """

    market: Market
    first: date | None = None
    last: date | None = None
    account: str = "backtest"
    cash_usd: Decimal = Decimal(100_000)
    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    flatten_on_trip: bool = True
    rules: FillRules = field(default_factory=FillRules)
    plan: Plan = Plan.FIXED
    latency_s: float = 0.1
    enabled_after: datetime | None = None
    told_from: datetime | None = None
    deliveries: bool = True

    def __post_init__(self) -> None:
        if self.latency_s < 0:
            raise ConfigurationError(f"latency {self.latency_s:g} s is below 0")

    def enabled(self, now: datetime) -> bool:
        """Whether anything may be entered by now."""
        return self.enabled_after is None or now > self.enabled_after

    def sessions(self) -> list[Session]:
        """The sessions that are played.

        Raises:
            ConfigurationError: the market has none of these days, or does not end and no last day is given.
        """
        return sessions_of(self.market, self.first, self.last)


def sessions_of(market: Market, first: date | None, last: date | None) -> list[Session]:
    """The sessions that a market plays between two days, both included; None is its first or its last.

    Raises:
        ConfigurationError: it has none of these days, or does not end and no last day is given.
    """
    end, first = market.end, first or market.start.astimezone(NEW_YORK).date()
    if last is None and end is None:
        raise ConfigurationError("the market does not end: give the last day")
    every = (one for one in market.sessions.all() if end is None or one.opens < end)
    chosen = [one for one in every if one.day >= first and (last is None or one.day <= last)]
    if not chosen:
        raise ConfigurationError(f"the market has no sessions from {first} to {last}")
    return chosen
