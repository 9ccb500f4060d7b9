"""What a backtest hands out: trades in the shape of INTERFACE, the equity curve, and what was assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.orders import ExitReason
from htbot.domain.signals import Direction


@dataclass(frozen=True, slots=True)
class ResultLeg:
    """One leg of a trade; `side` is BUY or SELL at the entry, fills are average prices per unit.

    A plain instrument has neither expiry, strike nor right.
    """

    symbol: str
    side: str
    quantity: int
    fill: Decimal
    exit_fill: Decimal
    expiry: date | None = None
    strike: Decimal | None = None
    right: str | None = None


@dataclass(frozen=True, slots=True)
class ResultTrade:
    """One trade from entry to exit, money in USD for the whole of it; times aware UTC.

    `opened_at` is the time of the decision (INTERFACE), `closed_at` that of the fill that ended it.

    `max_gain` and `max_loss` are the highest and lowest open P&L between entry and exit (MFE and MAE); `detail` says
    what `exit_reason` leaves open. `credit` and `debit` are per unit, of spreads only. `exposure` is the value of the
    position at its entry.
    """

    id: str
    strategy: str
    account: str
    symbol: str
    direction: Direction
    opened_at: datetime
    closed_at: datetime
    legs: tuple[ResultLeg, ...]
    exit_reason: ExitReason
    gross_pnl: Decimal
    commissions: Decimal
    max_gain: Decimal
    max_loss: Decimal
    exposure: Decimal
    config_hash: str
    detail: str = ""
    credit: Decimal | None = None
    debit: Decimal | None = None

    @property
    def net_pnl(self) -> Decimal:
        """Gross less commissions."""
        return self.gross_pnl - self.commissions

    @property
    def duration_s(self) -> float:
        """From entry to exit, wall time of the market."""
        return (self.closed_at - self.opened_at).total_seconds()


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Equity at the end of each session, open positions marked at the last close; `prices` are those closes."""

    days: tuple[date, ...]
    equity: tuple[Decimal, ...]
    prices: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """A finished backtest.

    `engine` is compiled or events, `why_not` why it was not compiled; `assumptions` are name and sentence, for page
    one of the report; `refusals` counts entries that a limit refused, by rule; `modelled_share` of the prices that
    filled were modelled, not recorded (0 to 1; None when nothing filled that could be); `bars` were read. `open_since`
    (UTC) is when the position that is still held at the end was opened, None when there is none. A run over several
    symbols has no `curve.prices`: their closes are in `closes`, NaN on a day without bars.
    """

    strategy: str
    config_hash: str
    config: Mapping[str, object]
    symbol: str
    data: tuple[str, ...]
    bars: int
    trades: tuple[ResultTrade, ...]
    curve: EquityCurve
    cash: Decimal
    assumptions: Mapping[str, str]
    engine: str
    wall_s: float
    why_not: str = ""
    refusals: Mapping[str, int] = field(default_factory=dict)
    open_since: datetime | None = None
    modelled_share: float | None = 0.0
    closes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def by_symbol(self) -> tuple[BacktestResult, ...]:
        """The same run seen from each of its symbols: trades and prices of that one, the equity of all."""
        if not self.closes:
            return (self,)
        return tuple(
            replace(
                self,
                symbol=symbol,
                trades=tuple(trade for trade in self.trades if trade.symbol == symbol),
                curve=replace(self.curve, prices=prices),
                closes={},
            )
            for symbol, prices in self.closes.items()
        )
