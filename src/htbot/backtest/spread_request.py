"""What a backtest of a spread strategy is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from htbot.backtest.result import EquityCurve
from htbot.backtest.spread_trades import SpreadTrade
from htbot.backtest.terms import Terms
from htbot.domain.bars import Bar
from htbot.domain.decisions import RiskDecision, RiskRefusal
from htbot.domain.errors import ConfigurationError
from htbot.domain.fills import Fill
from htbot.domain.orders import OrderIntent
from htbot.domain.signals import Evaluation, Signal
from htbot.risk.limits import Limits
from htbot.strategies.base import Strategy

BOOK = "book"
_BAR_FILLS = ("close", "next_open")


@dataclass(frozen=True, slots=True)
class SpreadRequest:
    """Everything that decides what comes out: the same request gives the same result.

    `history_from` is the start of the first bar that the indicators see, None the market's first (RULINGS 20).
    """

    strategy: Strategy[Any]
    terms: Terms
    limits: Limits
    fill: str = BOOK
    history_from: datetime | None = None

    def __post_init__(self) -> None:
        if self.fill in _BAR_FILLS:
            text = f"--fill {self.fill}: a spread has no bar of its own to fill at, its legs have quotes; use {BOOK}"
            raise ConfigurationError(text)
        if self.fill != BOOK:
            raise ConfigurationError(f"--fill {self.fill}: spreads know {BOOK}")


@dataclass(frozen=True, slots=True)
class SpreadSignal:
    """A signal with risk's answer."""

    signal: Signal
    decision: RiskDecision

    @property
    def accepted(self) -> bool:
        """Whether an entry followed."""
        return not isinstance(self.decision, RiskRefusal)

    @property
    def refused_by(self) -> str | None:
        """Rule and reason of a refusal, as the record keeps them."""
        if not isinstance(self.decision, RiskRefusal):
            return None
        refused = self.decision.refused_by
        return f"{refused.rule}: {refused.reason}"


@dataclass(frozen=True, slots=True)
class SpreadResult:
    """What came of it, in the order in which it happened.

    `modelled_share` is the part of the fills, by number, whose quote was the model's; None without a fill. `bars` are
    the closed bars of the days that were played, `known_at` the instants from which each of them could be read. `halts`
    are trips of the breaker; `curve` has each close.
    """

    strategy: str
    config_hash: str
    symbol: str
    account: str
    days: tuple[date, ...]
    trades: tuple[SpreadTrade, ...]
    signals: tuple[SpreadSignal, ...]
    intents: tuple[OrderIntent, ...]
    fills: tuple[Fill, ...]
    evaluations: tuple[Evaluation, ...]
    bars: tuple[Bar, ...]
    known_at: tuple[datetime, ...]
    halts: tuple[str, ...]
    modelled_share: Decimal | None
    assumptions: tuple[str, ...]
    curve: EquityCurve

    @property
    def gross_pnl(self) -> Decimal:
        """Dollars over all closed trades."""
        return sum((trade.gross_pnl for trade in self.trades), Decimal(0))

    @property
    def commissions(self) -> Decimal:
        """Dollars over all closed trades, positive."""
        return sum((trade.commissions for trade in self.trades), Decimal(0))

    @property
    def net_pnl(self) -> Decimal:
        """Gross less commissions."""
        return self.gross_pnl - self.commissions
