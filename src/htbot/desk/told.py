"""Executions and commissions that the record is known to hold.

A broker tells every execution of the day again at each look and at each start. Booking and settling all of them anew
would make a desk the slower to come back the more it has traded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from htbot.domain.fills import Fill


@dataclass(slots=True)
class Told:
    """`booked` and `charged` are committed; what this desk has also drawn its conclusions from is no news any more."""

    booked: set[str] = field(default_factory=set)
    charged: dict[str, Decimal] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    _executions: set[str] = field(default_factory=set)
    _commissions: dict[str, Decimal] = field(default_factory=dict)

    def load(self, fills: Iterable[Fill]) -> None:
        """What the record held when this desk took over; what followed from it may still be missing there."""
        for fill in fills:
            self.booked.add(fill.exec_id)
            if fill.commission is not None:
                self.charged[fill.exec_id] = fill.commission

    def execution_is_news(self, fill: Fill) -> bool:
        """False once it is booked and this desk has gone into it."""
        old = fill.exec_id in self._executions and fill.exec_id in self.booked
        self._executions.add(fill.exec_id)
        self.refs[fill.exec_id] = fill.ref
        return not old

    def commission_is_news(self, exec_id: str, amount: Decimal) -> tuple[bool, bool]:
        """Whether this desk has to go into an amount, and whether it has to be booked.

        What was told last is also what is written last: an amount that comes back while another one is still on its way
        to the record is booked again.
        """
        last, held = self._commissions.get(exec_id), self.charged.get(exec_id) == amount
        self._commissions[exec_id] = amount
        return not (held and last == amount), not (held and last is None)

    def was_charged(self, exec_id: str, amount: Decimal, *, ours: bool) -> None:
        """A commission is committed; one of an execution that is not booked comes again."""
        if ours:
            self.charged[exec_id] = amount
