"""What a run came to, as JSON and beside the bots that people run today."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from htbot.bootstrap.chaos.verdict import Verdict

NAIVE: tuple[tuple[str, ...], ...] = (
    ("Celery defaults", "78", "2", "22", "-"),
    ("early ack and retries (the common public pattern)", "57", "19", "24", "-"),
    ("acks_late and retries", "55", "1", "24", "-"),
    ("poll until done", "157", "0", "40", "-"),
    ("atomic claim and expiring ticks (two seeds)", "45 / 13", "2 / 27", "64 / 27", "-"),
)
"""Bot, duplicate orders, never placed, orders at the broker that it does not know: 300 intents under 62 faults.

They had no stops and targets at the broker, which would be orphaned there.
"""

COLUMNS = ("bot", "duplicate orders", "never placed", "unknown orders", "orphaned stops")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured besides the books. Seconds of the host; an infinite recovery is one that never came.

    `planned` are the intents and faults that were asked for: more than were made when the run's time was over.
    """

    seed: int
    planned: tuple[int, int]
    faults: dict[str, int]
    faults_missed: tuple[str, ...]
    recoveries_s: tuple[float, ...]
    doubts_s: tuple[float, ...]
    longest_broken_s: float
    intents_under_faults: int
    complaints: tuple[str, ...]
    refused: dict[str, int]
    closed_by: dict[str, int]
    disturbed: dict[str, int]
    wall_s: float


@dataclass(frozen=True, slots=True)
class ChaosResult:
    """The end of a run."""

    verdict: Verdict
    measured: Measured

    @property
    def passed(self) -> bool:
        """True when the books agree, nothing was sent twice or lost, every fault happened and every process is back."""
        measured = self.measured
        recovered = all(math.isfinite(seconds) for seconds in measured.recoveries_s)
        return self.verdict.clean and recovered and not measured.complaints and not measured.faults_missed

    def shape(self) -> dict[str, Any]:
        """INTERFACE's JSON, with more fields."""
        verdict, measured = self.verdict, self.measured
        return {
            "intents": verdict.intents,
            "faults": sum(measured.faults.values()),
            "broker_orders": verdict.broker_orders,
            "duplicates": len(verdict.duplicates),
            "lost_closes": len(verdict.lost_closes),
            "unknown": len(verdict.unknown),
            "orphans": len(verdict.orphans),
            "ledger_equals_broker": not verdict.ledger,
            "recovery_p50_s": _told(percentile(measured.recoveries_s, 50)),
            "recovery_p99_s": _told(percentile(measured.recoveries_s, 99)),
            "seed": measured.seed,
            "planned_intents": measured.planned[0],
            "planned_faults": measured.planned[1],
            "passed": self.passed,
            "not_placed": verdict.not_placed,
            "share_trades": verdict.share_trades,
            "protective_orders": verdict.protective,
            "protective_met": verdict.met,
            "longest_broken_s": round(measured.longest_broken_s, 2),
            "intents_under_faults": measured.intents_under_faults,
            "doubts": len(measured.doubts_s),
            "doubt_p50_s": _told(percentile(measured.doubts_s, 50)),
            "doubt_p99_s": _told(percentile(measured.doubts_s, 99)),
            "faults_by_kind": dict(sorted(measured.faults.items())),
            "faults_missed": list(measured.faults_missed),
            "messages_disturbed": dict(sorted(measured.disturbed.items())),
            "entries_refused": dict(sorted(measured.refused.items())),
            "closes_asked_by": dict(sorted(measured.closed_by.items())),
            "not_back": list(measured.complaints),
            "halts": list(verdict.halts),
            "findings": list(verdict.findings),
            "wall_s": round(measured.wall_s, 1),
        }

    def table(self) -> list[tuple[str, ...]]:
        """The naive bots and, last, this run."""
        verdict = self.verdict
        own = map(str, map(len, (verdict.duplicates, verdict.lost_closes, verdict.unknown, verdict.orphans)))
        return [*NAIVE, (f"htbot: {verdict.intents} intents, {sum(self.measured.faults.values())} faults", *own)]


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that so many percent do not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(len(values) * percent / 100) - 1, 0)]


def by_kind(kinds: Sequence[str]) -> dict[str, int]:
    """How many of each."""
    return dict(sorted(Counter(kinds).items()))


def _told(seconds: float | None) -> float | None:
    """Rounded; null for nothing measured, and for what never came."""
    return None if seconds is None or math.isinf(seconds) else round(seconds, 2)
