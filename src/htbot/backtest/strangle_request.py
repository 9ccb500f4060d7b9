"""What a backtest of long single options is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from htbot.market.ports import Market
from htbot.matching.fees import Plan
from htbot.matching.view import FillRules
from htbot.strategies.strangle_momentum import StrangleMomentum


@dataclass(frozen=True, slots=True)
class StrangleRequest:
    """Everything that decides what comes out. Fields are those of `SpreadRequest`.

    `risk_per_day_usd` bounds what a session's entries may pay.
    """

    strategy: StrangleMomentum
    market: Market
    risk_per_day_usd: Decimal
    first: date | None = None
    last: date | None = None
    account: str = "backtest"
    cash_usd: Decimal = Decimal(100_000)
    rules: FillRules = field(default_factory=FillRules)
    plan: Plan = Plan.FIXED
    latency_s: float = 0.1
    history_from: datetime | None = None
