"""Which faults are armed, how often they have met, and whose turn it is: the position in every script.

The plan is written with the books, in the same transaction, so a gateway that was killed goes on at the same place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from htbot.domain.errors import CallerMistake, NotFound
from htbot.domain.sessions import NEW_YORK, SessionTable
from htbot.paper.faults.kinds import Event, Fault, OrderFault
from htbot.paper.faults.reading import fields_of, read_fault
from htbot.paper.faults.values import resolved, shown

OrderFaultT = TypeVar("OrderFaultT", bound=OrderFault)
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Script:
    """The faults of a file with their lines; `digest` tells whether a stored position belongs to this text."""

    digest: str = ""
    entries: tuple[tuple[int, Fault], ...] = ()


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What a fault's selection looks at; texts as the client wrote them."""

    client_id: int
    ref: str
    symbol: str
    action: str
    type: str
    quantity: Decimal

    @classmethod
    def of(cls, client_id: int, values: Mapping[str, Any]) -> OrderFacts:
        """The facts of a placeOrder message."""
        return cls(
            client_id,
            str(values["orderRef"]),
            str(values["symbol"]).upper(),
            str(values["action"]).upper(),
            str(values["orderType"]).upper(),
            Decimal(values["totalQuantity"] or 0),
        )


def fits(fault: OrderFault, facts: OrderFacts) -> bool:
    """Whether an order is among those that the fault selects."""
    checks = (
        fault.client is None or fault.client == facts.client_id,
        fault.ref is None or fnmatchcase(facts.ref, fault.ref),
        fault.symbol is None or fault.symbol.upper() == facts.symbol,
        fault.action is None or fault.action == facts.action,
        fault.type is None or fault.type.upper() == facts.type,
        fault.above is None or facts.quantity > fault.above,
    )
    return all(checks)


@dataclass(slots=True)
class Armed:
    """A fault with its number, where it came from, the instant from which it counts, and what it has met so far."""

    number: int
    fault: Fault
    source: str
    at: datetime
    seen: int = 0
    met: int = 0
    over: bool = False

    def meets(self, facts: OrderFacts) -> bool:
        """Count an order; whether the fault meets it."""
        fault = self.fault
        if not isinstance(fault, OrderFault) or not fits(fault, facts):
            return False
        self.seen += 1
        if self.seen < fault.nth or _draw(fault.seed, self.seen) >= fault.probability:
            return False
        self.met += 1
        self.over = fault.times is not None and self.met >= fault.times
        return True

    def row(self) -> dict[str, Any]:
        """What people are shown of it."""
        return {
            "number": self.number,
            "fault": self.fault.name,
            "fields": fields_of(self.fault),
            "from": self.at.isoformat(),
            "met": self.met,
            "state": "over" if self.over else "armed",
            "source": self.source,
        }


def _draw(seed: int, count: int) -> float:
    """A number from 0 up to 1 that depends on nothing but the seed and the count."""
    digest = hashlib.blake2b(f"{seed}:{count}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class FaultPlan:
    """The armed faults in the order of their numbers."""

    def __init__(self, sessions: SessionTable) -> None:
        self._sessions = sessions
        self._armed: list[Armed] = []
        self._next_number = 1
        self._digest = ""

    def rows(self) -> list[dict[str, Any]]:
        """Every fault, those that are over included."""
        return [armed.row() for armed in self._armed]

    def waits(self) -> bool:
        """Whether any fault may still happen."""
        return any(not armed.over for armed in self._armed)

    def arm(self, fault: Fault, now: datetime, source: str) -> Armed:
        """Add a fault.

        Raises:
            CallerMistake: its time is over, never comes, or there are too many faults.
        """
        at = now if fault.at is None else resolved(fault.at, now, self._sessions)
        if at is None:
            raise CallerMistake(f"{fault.name}: no session is left for at={shown(fault.at)}")
        if at < now:
            raise CallerMistake(f"{fault.name}: at={shown(at)} is before the market's time {shown(now)}")
        return self._add(fault, at, source)

    def _add(self, fault: Fault, at: datetime, source: str) -> Armed:
        if len(self._armed) >= _MOST:
            self._armed = [one for one in self._armed if not one.over]
        if len(self._armed) >= _MOST:
            raise CallerMistake(f"{_MOST} faults are armed: clear some")
        armed = Armed(self._next_number, fault, source, at)
        self._next_number += 1
        self._armed.append(armed)
        return armed

    def follow(self, script: Script, now: datetime) -> bool:
        """Arm the faults of a script in place of the last one's; the same goes on where it is. Whether it is another.

        What a new script wanted before the present time is over without having happened.

        Raises:
            CallerMistake: a time of day for which no session is left.
        """
        if script.digest == self._digest:
            return False
        self._armed = [armed for armed in self._armed if not armed.source.startswith("line ")]
        self._digest = script.digest
        for line, fault in script.entries:
            at = now if fault.at is None else resolved(fault.at, now, self._sessions)
            if at is None:
                raise CallerMistake(f"line {line}: {fault.name}: no session is left for at={shown(fault.at)}")
            self._add(fault, at, f"line {line}").over = at < now
        return True

    def clear(self, number: int | None = None) -> int:
        """Remove one fault, or all; how many.

        Raises:
            NotFound: no fault has the number.
        """
        kept = [] if number is None else [armed for armed in self._armed if armed.number != number]
        removed = len(self._armed) - len(kept)
        if number is not None and not removed:
            raise NotFound(f"no fault has the number {number}: htbot paper fault list shows them")
        self._armed = kept
        return removed

    def claim(self, kind: type[OrderFaultT], facts: OrderFacts, now: datetime) -> OrderFaultT | None:
        """The first armed fault of a kind that meets an order. Later ones do not count it."""
        for armed in self._armed:
            if not armed.over and isinstance(armed.fault, kind) and armed.at <= now and armed.meets(facts):
                return armed.fault
        return None

    def due(self, now: datetime) -> list[Event]:
        """Events whose time has come; each is over by that, or waits for the next session day."""
        found: list[Event] = []
        for armed in self._armed:
            if armed.over or armed.at > now or not isinstance(armed.fault, Event):
                continue
            armed.met += 1
            following = self._next_day(armed.at, now) if armed.fault.daily else None
            armed.over = following is None
            armed.at = following or armed.at
            found.append(armed.fault)
        return found

    def _next_day(self, at: datetime, now: datetime) -> datetime | None:
        local = at.astimezone(NEW_YORK)
        return resolved(local.timetz().replace(tzinfo=None), now + timedelta(seconds=1), self._sessions)

    def next_event(self) -> datetime | None:
        """When the next event is due."""
        times = [one.at for one in self._armed if not one.over and isinstance(one.fault, Event)]
        return min(times, default=None)

    # --- the record -----------------------------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """Everything, for the store."""
        rows = [
            {
                "number": armed.number,
                "fault": armed.fault.name,
                "fields": fields_of(armed.fault),
                "source": armed.source,
                "at": armed.at.isoformat(),
                "seen": armed.seen,
                "met": armed.met,
                "over": armed.over,
            }
            for armed in self._armed
        ]
        return {"digest": self._digest, "next_number": self._next_number, "armed": rows}

    def restore(self, document: Mapping[str, Any]) -> None:
        """Go on where an earlier run was."""
        self._digest = document["digest"]
        self._next_number = document["next_number"]
        self._armed = [
            Armed(
                row["number"],
                read_fault(row["fault"], row["fields"]),
                row["source"],
                datetime.fromisoformat(row["at"]),
                row["seen"],
                row["met"],
                row["over"],
            )
            for row in document["armed"]
        ]
