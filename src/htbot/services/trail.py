"""Acts of processes in the audit log: who may trade has changed, and why. Acts of people are written by `commands`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import AuditRepository

TRADING_ENABLED = "trading.enabled"
TRADING_DISABLED = "trading.disabled"
EPOCH_BEGUN = "epoch.begun"
DESK_STARTED = "desk.started"
DESK_STOPPED = "desk.stopped"
RECONCILED = "reconciliation.verdict"


@dataclass(slots=True)
class TradingSwitch:
    """Remembers whether entries were allowed, so that each flip is one act and looks between flips are none."""

    actor: str
    enabled: bool | None = None
    reason: str | None = None

    def flipped(self, at: datetime, *, enabled: bool, reason: str | None) -> AuditEntry | None:
        """The act when trading was just enabled or disabled, or stays disabled for another reason; else None."""
        reason = None if enabled else reason
        if (enabled, reason) == (self.enabled, self.reason):
            return None
        before, self.enabled, self.reason = self.enabled, enabled, reason
        action = TRADING_ENABLED if enabled else TRADING_DISABLED
        return AuditEntry(at, self.actor, action, reason or "", {"before": before, "enabled": enabled})


def write_act(session: Session, entry: AuditEntry) -> None:
    """Append an act to the log, in its cause's transaction."""
    AuditRepository(session).add(entry)


def tell_epoch(session: Session, epoch: int, actor: str, at: datetime) -> None:
    """A desk has begun an epoch: writes of any desk before it are refused from here on."""
    AuditRepository(session).add(AuditEntry(at, actor, EPOCH_BEGUN, str(epoch), {"epoch": epoch}))


def tell_started(session: Session, actor: str, at: datetime, facts: dict[str, Any]) -> None:
    """A process runs; `facts` are its version, mode, account and what else a reader needs."""
    AuditRepository(session).add(AuditEntry(at, actor, DESK_STARTED, actor, facts))


def tell_stopped(session: Session, actor: str, at: datetime, why: str) -> None:
    """A process ends by itself or is asked to."""
    AuditRepository(session).add(AuditEntry(at, actor, DESK_STOPPED, why, {}))
