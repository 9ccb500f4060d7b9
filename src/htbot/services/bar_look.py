"""What one evaluation of plain strategies is about: which part of them, in which world, at which instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.records import StrategyInstance


@dataclass(frozen=True, slots=True)
class Look:
    """Which part of the symbols is looked at (`part` of `parts`, counted from 1), in which world, at which instant.

    Without the instant's `snapshot` strategies that trade are watched only. `exits_only`: those that hold something are
    asked for their exits, no other is looked at. `account` is the main one.
    """

    world_id: str
    account: str
    as_of: datetime
    part: int = 1
    parts: int = 1
    snapshot: Snapshot | None = None
    exits_only: bool = False

    def account_of(self, instance: StrategyInstance) -> str:
        """The one that an instance trades."""
        return instance.account or self.account

    def seen_by(self, instance: StrategyInstance) -> Snapshot | None:
        """The instant's snapshot as its account has it; None without one, or when the desk does not trade that."""
        return None if self.snapshot is None else self.snapshot.of_account(instance.account)
