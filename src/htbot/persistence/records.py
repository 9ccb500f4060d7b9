"""What the record knows beside the domain's nouns: the same nouns with their state, and its own small facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from htbot.domain.alerts import Alert
from htbot.domain.orders import IntentState, Order, OrderIntent, OrderState
from htbot.domain.signals import Signal
from htbot.execution.disagreement import Verdict
from htbot.execution.reconciliation import FindingKind
from htbot.persistence.states import AlertState, CommandState, HaltKind, TaskState


@dataclass(frozen=True, slots=True)
class StoredIntent:
    """An intent and where it stands; `claim_epoch`, `client_id` and `order_id` are the claiming desk's."""

    intent: OrderIntent
    sequence: int
    state: IntentState
    changed_at: datetime
    reason: str = ""
    claim_epoch: int | None = None
    client_id: int | None = None
    order_id: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FollowedIntent:
    """An intent, and how many spreads of its order the broker has told as filled."""

    stored: StoredIntent
    filled: int


@dataclass(frozen=True, slots=True)
class SentAs:
    """Who has sent an order, and under which id."""

    claim_epoch: int
    client_id: int
    order_id: int


@dataclass(frozen=True, slots=True)
class IntentMove:
    """One step of an intent, which holds only from the state that it names."""

    ref: str
    from_state: IntentState
    to_state: IntentState
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ToldOrder:
    """An order as the broker told it, with every permanent id of its reference; `reason` goes to its intent."""

    order: Order
    as_of: datetime
    perm_ids: Mapping[int, OrderState]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """A signal and what became of it; `refused_by` is None when it was accepted."""

    id: int
    signal: Signal
    refused_by: str | None

    @property
    def accepted(self) -> bool:
        """True when risk approved."""
        return self.refused_by is None


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An outbox row."""

    id: int
    alert: Alert
    state: AlertState
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class Halt:
    """One reason not to originate orders. `ends_at` (market time) only on a breaker that ends by itself.

    `account` is the one that it halts, None halts all.
    """

    id: int
    kind: HaltKind
    source: str
    reason: str
    set_by: str
    set_at: datetime
    ends_at: datetime | None = None
    cleared_by: str | None = None
    cleared_at: datetime | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asked for and how far it has come."""

    id: UUID
    idempotency_key: str
    kind: str
    params: Mapping[str, Any]
    requested_by: str
    created_at: datetime
    state: CommandState
    changed_at: datetime
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PnlSnapshot:
    """One mark of one trade: debit per unit to close at mid and at natural, P&L in dollars; unknown is None."""

    trade_id: str
    as_of: datetime
    mid_debit: Decimal | None = None
    natural_debit: Decimal | None = None
    mid_pnl_usd: Decimal | None = None
    natural_pnl_usd: Decimal | None = None
    max_gain_usd: Decimal | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DailyPnl:
    """Result of one account on one session day; a sum with an unknown part is None."""

    account: str
    day: date
    gross_usd: Decimal | None
    commissions_usd: Decimal | None
    net_usd: Decimal | None
    trades: int
    as_of: datetime
    unrealized_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A broker account, its world, and the figures the broker last told (None = not told)."""

    account: str
    name: str
    world_id: str
    mode: str
    as_of: datetime
    net_liquidation_usd: Decimal | None = None
    buying_power_usd: Decimal | None = None
    cash_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of a task; `spawned` are (task, key) of follow-ups of the same `as_of`. Started, finished: wall time."""

    task: str
    key: str
    as_of: datetime
    state: TaskState
    spawned: tuple[tuple[str, str], ...]
    error: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that has said it is ready; times are wall time."""

    name: str
    host: str
    pid: int
    version: str
    tasks: tuple[str, ...]
    ready_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act: who did what to what, at which market time; the host's while nobody has told the market's."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedAct(AuditEntry):
    """An act as it stands in the log; `recorded_at` is the host's time at which it was written."""

    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Where a row stands in its chain: `seq` counts from 1 in each lane of a table."""

    table: str
    lane: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """One entry of the decision journal: the whole row when it is new, afterwards the columns that have changed.

    `as_of` is the market time that the row names, None where it names none; `recorded_at` wall time.
    """

    kind: str
    key: str
    op: str
    as_of: datetime | None
    body: Mapping[str, Any]
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ReconciliationItem:
    """One thing that did not match, and the market time since when."""

    kind: FindingKind
    account: str
    con_id: int
    symbol: str
    ref: str
    perm_id: int
    ours: int
    broker: int
    detail: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ReconciliationRun:
    """One comparison with the broker: matching contracts are counted, everything else is an item."""

    id: int
    account: str
    as_of: datetime
    cause: str
    verdict: Verdict
    matched: int
    differing: int
    foreign: int
    since: datetime | None
    items: tuple[ReconciliationItem, ...]


@dataclass(frozen=True, slots=True)
class EquityDay:
    """One account on one session day, dollars; None = not known yet. `loss_base_usd` is 0 until a person resets."""

    account: str
    day: date
    as_of: datetime
    start_net_liquidation_usd: Decimal | None = None
    start_unrealized_usd: Decimal | None = None
    equity_usd: Decimal | None = None
    daily_pnl_usd: Decimal | None = None
    peak_equity_usd: Decimal | None = None
    intraday_peak_usd: Decimal | None = None
    loss_base_usd: Decimal = Decimal(0)
    reset_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CashFlow:
    """One deposit (positive) or withdrawal (negative), dollars, at a market time."""

    account: str
    at: datetime
    amount_usd: Decimal
    note: str
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Process:
    """One process that has started; `revision` is the schema that its code was written for. Wall time."""

    name: str
    host: str
    pid: int
    version: str
    revision: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """From where an instance is folded: every bar of a world from `first_bar` on; positions after `since` only."""

    world_id: str
    first_bar: datetime
    since: datetime


OBSERVE, TRADE = "observe", "trade"
"""What an instance is for: to be watched, or to have its entries sent."""


@dataclass(frozen=True, slots=True)
class StrategyInstance:
    """A type of strategy with settings, on a symbol; `settings` as they were given, times are market time.

    `account` is the one that it trades, None is the main one of the desk.
    """

    name: str
    type: str
    symbol: str
    minutes: int
    warm_up_bars: int
    settings: Mapping[str, Any]
    config_hash: str
    enabled: bool
    mode: str
    created_at: datetime
    changed_at: datetime
    observed: Observation | None = None
    account: str | None = None
