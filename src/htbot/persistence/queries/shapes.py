"""What is shown to people and scripts: one frozen shape per kind of thing, the same for REST and CLI.

Times are aware UTC, money and prices of orders `Decimal`; None means unknown. Prices of orders are signed as IB
(negative = receive), `credit` and `debit` are positive per unit (RULINGS 32).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from htbot.domain.signals import broken_level
from htbot.domain.trades import less, sum_of


@dataclass(frozen=True, slots=True)
class SignalView:
    """A signal that fired. `reason` is why it was refused, or why it fired when it was accepted or only observed.

    A signal to `leave` has the direction of the order that would close.
    """

    ts: datetime
    strategy: str
    account: str
    symbol: str
    direction: int
    accepted: bool
    reason: str
    levels: dict[str, Any]
    trend: int
    indicators: dict[str, Any]
    level: float
    price: float
    trigger: str
    refused_by: str | None
    action: str = "enter"
    observed: bool = False

    @property
    def outcome(self) -> str:
        """What became of it in a word: one of a strategy that is only watched is neither accepted nor refused."""
        if self.observed:
            return "observed"
        return "accepted" if self.accepted else "refused"

    @property
    def known_trend(self) -> int | None:
        """+1 or -1; None of one that follows no trend, for without one those that do make no signal."""
        return self.trend or None

    @property
    def broken(self) -> float | None:
        """The high or low of the day that it broke; None where `level` is no such price."""
        return broken_level(self.direction, self.level, self.levels)


@dataclass(frozen=True, slots=True)
class LegView:
    """One leg of an order; `quantity` is that of the whole order."""

    con_id: int
    symbol: str
    expiry: date | None
    strike: Decimal | None
    right: str | None
    side: str
    quantity: int


@dataclass(frozen=True, slots=True)
class TradeLegView:
    """One leg of a trade with the average price of its entry and of its exit."""

    con_id: int
    symbol: str
    expiry: date | None
    strike: Decimal | None
    right: str | None
    side: str
    quantity: int
    fill: Decimal | None
    exit_fill: Decimal | None
    modelled: bool


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order at the broker.

    `style`: how its limit walks, or what it is: `market` (whose limit means nothing), `stop`, `target`.
    `level`: the profit level that it sells for.
    """

    ref: str
    order_id: int
    perm_id: int | None
    account: str
    purpose: str
    action: str
    quantity: int
    limit: Decimal
    status: str
    filled: int
    avg_price: Decimal | None
    legs: list[LegView]
    trade_id: str
    submitted_at: datetime
    changed_at: datetime
    error: str
    strategy: str = ""
    style: str = ""
    level: int | None = None


@dataclass(frozen=True, slots=True)
class FillView:
    """One execution of one leg."""

    exec_id: str
    ref: str
    ts: datetime
    account: str
    con_id: int
    symbol: str
    expiry: date | None
    strike: Decimal | None
    right: str | None
    side: str
    quantity: int
    price: Decimal
    commission: Decimal | None
    modelled: bool


@dataclass(frozen=True, slots=True)
class TradeView:
    """A trade from entry to exit. `opened_at` is the decision time; `closed` of its `quantity` are closed by now.

    While some are held, `gross_pnl` and `net_pnl` are of those that are closed, less every commission so far.
    """

    id: str
    strategy: str
    account: str
    symbol: str
    direction: int
    state: str
    opened_at: datetime
    closed_at: datetime | None
    legs: list[TradeLegView]
    quantity: int
    width: Decimal | None
    credit: Decimal | None
    debit: Decimal | None
    exit_reason: str | None
    gross_pnl: Decimal | None
    commissions: Decimal | None
    net_pnl: Decimal | None
    max_gain: Decimal | None
    duration_s: float | None
    config_hash: str
    closed: int = 0

    @property
    def entry_price(self) -> Decimal | None:
        """What it was opened for, per unit: the credit of a spread, the price of what has one leg."""
        return self.legs[0].fill if self.width is None else self.credit

    @property
    def exit_price(self) -> Decimal | None:
        """What it was closed for, per unit: the debit of a spread, the price of what has one leg."""
        return self.legs[0].exit_fill if self.width is None else self.debit


@dataclass(frozen=True, slots=True)
class OpenTradeView:
    """A trade that is not over, with its last mark: debit per unit to close, P&L in dollars at mid and natural.

    `turns_above`: a bought option is sold when its bids were above this price and turn; None of all others.
    `closed` of its `quantity` are sold at profit levels, or by an exit under way, for a gross result of `realized`;
    marks, `maximum_loss`, `target` and `stop` are of what is left. `commissions` are what it has cost so far.
    """

    id: str
    strategy: str
    account: str
    symbol: str
    direction: int
    state: str
    opened_at: datetime
    legs: list[TradeLegView]
    quantity: int
    width: Decimal | None
    credit: Decimal | None
    maximum_loss: Decimal | None
    mark: Decimal | None
    natural: Decimal | None
    pnl_mid: Decimal | None
    pnl_natural: Decimal | None
    max_gain: Decimal | None
    marked_at: datetime | None
    target: Decimal | None
    stop: Decimal | None
    exit_at: datetime | None
    flat_deadline: datetime | None
    turns_above: Decimal | None = None
    closed: int = 0
    realized: Decimal | None = None
    commissions: Decimal | None = None

    @property
    def left(self) -> int:
        """Units that are still held."""
        return self.quantity - self.closed

    def held(self, leg: TradeLegView) -> int:
        """Contracts or shares of a leg that are still held."""
        return leg.quantity * self.left // self.quantity


@dataclass(frozen=True, slots=True)
class PositionView:
    """Net holding of one contract."""

    account: str
    con_id: int
    symbol: str
    expiry: date | None
    strike: Decimal | None
    right: str | None
    quantity: int
    avg_price: Decimal
    multiplier: int
    trade_id: str | None
    mark: Decimal | None = None
    unrealized_pnl: Decimal | None = None


@dataclass(frozen=True, slots=True)
class DayPnl:
    """What the day's closed trades earned; an unknown part makes the sum unknown."""

    day: date | None
    trades: int
    gross: Decimal | None
    commissions: Decimal | None
    net: Decimal | None


@dataclass(frozen=True, slots=True)
class OpenPnl:
    """What the open trades are worth at their last marks, with what was realised of those that are sold in part.

    `commissions` (positive) have been paid for them so far, and are in no other figure of it.
    """

    trades: int
    mid: Decimal | None
    natural: Decimal | None
    maximum_loss: Decimal | None
    as_of: datetime | None
    commissions: Decimal | None


@dataclass(frozen=True, slots=True)
class PnlView:
    """Result of a day, and the open trades of now.

    `carried` is what was held as the day began, at the last marks before it and less what it had cost by then; `total`
    what the day has earned: closed trades net, what was held at its end at the last marks net, less what was carried.
    """

    day: DayPnl
    open: OpenPnl
    account: str | None
    carried: Decimal | None = None
    total: Decimal | None = None


@dataclass(frozen=True, slots=True)
class DayMoney:
    """A day at one instant: what is closed net, what is open at mid and what it has cost, and all together.

    `as_of` is the market time of it, that of the oldest mark while something is open; an unknown part makes the sum
    unknown. `carried` is what was held over night, at the last marks of the day before and less what it had cost by
    then: as the breaker counts, it is of other days.
    """

    closed: DayPnl
    open: OpenPnl
    as_of: datetime | None
    carried: Decimal | None = Decimal(0)

    @property
    def total(self) -> Decimal | None:
        """All together since the evening before, in dollars."""
        return less(sum_of([self.closed.net, less(self.open.mid, self.open.commissions)]), self.carried)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as the broker last told it."""

    account: str
    name: str
    mode: str
    world_id: str
    as_of: datetime
    net_liquidation: Decimal | None
    buying_power: Decimal | None
    cash: Decimal | None


@dataclass(frozen=True, slots=True)
class AlertView:
    """A message to a person, whether it went out, and who has acknowledged it, null: nobody yet.

    `ts` is market time, or the host's where `clock` says so; `sent_at` and `acknowledged_at` are the host's.
    """

    id: int
    ts: datetime
    kind: str
    severity: str
    subject: str
    text: str
    account: str
    state: str
    sent_at: datetime | None
    attempts: int
    error: str
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    clock: str = "market"


@dataclass(frozen=True, slots=True)
class StrategyView:
    """A strategy as of its last look at the market."""

    name: str
    symbol: str
    account: str
    trend: int
    high: float | None
    low: float | None
    last_signal: SignalView | None
    why_not: str | None
    as_of: datetime
    indicators: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskView:
    """The last run of a task: its market time, when it began in host time, and its age in seconds of that."""

    name: str
    last_run: datetime
    age_s: float
    state: str
    error: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class HaltView:
    """One reason why nothing is originated, in one account, or in any (null)."""

    kind: str
    source: str
    reason: str
    since: datetime | None
    set_by: str
    account: str | None = None


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command and how far it has come."""

    command_id: UUID
    kind: str
    state: str
    params: dict[str, Any]
    requested_by: str
    created_at: datetime
    changed_at: datetime
    result: dict[str, Any]
