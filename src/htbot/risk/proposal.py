"""What a strategy puts before risk."""

from __future__ import annotations

from dataclasses import dataclass

from htbot.domain.sessions import Session
from htbot.domain.signals import Plan, Signal
from htbot.marketdata.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Proposal:
    """A signal with the spread or shares it wants, the snapshot it was priced from and the session it belongs to."""

    signal: Signal
    plan: Plan
    snapshot: Snapshot
    session: Session
