"""The state of the whole system as REST, CLI and dashboard tell it: the record's part and the desk's, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session

from htbot.alerts.message import summary_of
from htbot.domain.scheduler import SchedulerSetting
from htbot.persistence.queries import instances, trades, watch
from htbot.persistence.queries.instances import InstanceCounts, InstanceStatus
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import HaltView, OpenTradeView, StrategyView, TaskView
from htbot.persistence.repositories import SchedulerRepository
from htbot.services.desk_view import DeskView

# Events that the status shows.
_RECENT = 8
# Instances that it names: it is read each second, and there may be thousands of them.
_INSTANCES = 20


@dataclass(frozen=True, slots=True)
class DeskStatus:
    """Whether the desk speaks."""

    state: str
    heartbeat_age_s: float | None


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that a person was told: an entry, an exit, a lost connection, a program that died; in a sentence.

    `account` is empty for what concerns all of them.
    """

    ts: datetime
    severity: str
    subject: str
    summary: str = ""
    clock: str = "market"
    account: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """Everything that a person asks first. `as_of` is the host time at which the record said so, `age_s` its age.

    `trades` are all that are open, oldest first; `open_trade` is the first of them, `open_trades` how many there are.
    `account` is the main one, `accounts` every one that is traded: trades, strategies and events are of all of them.
    `strategies` are those that look as the settings say. Of the instances that people have added `instances` are the
    first twenty, those in a trade in front, `instance_counts` how many there are: `GET /api/v1/strategies` has all.
    """

    mode: str
    market_time: datetime | None
    speed: float | str | None
    connection: str
    trading_enabled: bool | None
    reason: str | None
    halt: list[HaltView] | None
    strategies: list[StrategyView]
    open_trade: OpenTradeView | None
    open_trades: int
    trades: list[OpenTradeView]
    tasks: list[TaskView]
    recent: list[EventView]
    world: str | None
    account: str | None
    accounts: list[str]
    desk: DeskStatus
    degraded: list[str]
    scheduler: SchedulerSetting
    instances: list[InstanceStatus]
    instance_counts: InstanceCounts
    as_of: datetime
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """What the record has to say of these accounts, the main one first, read at the host time `read_at`."""

    accounts: tuple[str, ...]
    halts: list[HaltView]
    open_trades: list[OpenTradeView]
    strategies: list[StrategyView]
    tasks: list[TaskView]
    recent: list[EventView]
    read_at: datetime
    degraded: list[str]
    scheduler: SchedulerSetting
    instances: list[InstanceStatus]
    instance_counts: InstanceCounts = field(default_factory=InstanceCounts)


def stored_status(
    session: Session,
    traded: Selection,
    market_now: datetime | None,
    host_now: datetime,
    degraded: Sequence[str] = (),
) -> StoredStatus:
    """The record's part, of the accounts that are `traded`; `degraded`: processes of this host that take too much."""
    told = watch.alerts(session, replace(traded, limit=_RECENT))
    accounts = traded.accounts or (None,)
    opened = [trade for account in accounts for trade in trades.open_trades(session, account)]
    return StoredStatus(
        accounts=traded.accounts,
        halts=watch.halts(session, market_now),
        open_trades=sorted(opened, key=lambda trade: (trade.opened_at, trade.id)),
        strategies=[view for account in accounts for view in watch.strategies(session, account)],
        tasks=watch.tasks(session, host_now),
        recent=[
            EventView(alert.ts, alert.severity, alert.subject, summary_of(alert.text), alert.clock, alert.account)
            for alert in told
        ],
        read_at=host_now,
        degraded=list(degraded),
        scheduler=SchedulerRepository(session).get(),
        instances=instances.first_instances(session, _INSTANCES),
        instance_counts=instances.instance_counts(session),
    )


def status_of(mode: str, desk: DeskView, stored: StoredStatus, halts: Sequence[HaltView]) -> StatusView:
    """Both parts together; `mode` is the configured one and counts while the desk has not spoken."""
    return StatusView(
        mode=desk.clock.mode.value if desk.clock else mode,
        market_time=desk.market_time,
        speed=desk.speed,
        connection=desk.connection,
        trading_enabled=desk.clock.trading_enabled if desk.clock and desk.state == "running" else None,
        reason=desk.clock.reason if desk.clock else None,
        halt=list(halts) or None,
        strategies=stored.strategies,
        open_trade=stored.open_trades[0] if stored.open_trades else None,
        open_trades=len(stored.open_trades),
        trades=stored.open_trades,
        tasks=stored.tasks,
        recent=stored.recent,
        world=desk.clock.world_id if desk.clock else None,
        account=stored.accounts[0] if stored.accounts else None,
        accounts=list(stored.accounts),
        desk=DeskStatus(desk.state, desk.heartbeat_age_s),
        degraded=stored.degraded,
        scheduler=stored.scheduler,
        instances=stored.instances,
        instance_counts=stored.instance_counts,
        as_of=stored.read_at,
    )
