"""Numbers that must never be used twice: order ids at the broker, and the running numbers of exits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from htbot.domain.orders import Purpose, order_reference
from htbot.domain.trades import Trade

GAP = 16
"""Every so many ids one is claimed: those between are for what leaves before it."""


class OrderNumbers:
    """Reserved in memory, made durable with what uses them: by the record for entries, by the journal for closes.

    An order id exceeds every id that we have ever used and whatever the broker calls the next valid one, which may go
    back over a restart of the gateway (FAULTS, nightly restart). The broker takes ids in rising order only (103): what
    was claimed waits for its commit and its turn, and a close that is begun meanwhile takes an id below it, and leaves
    before it (decision 0051).
    """

    def __init__(self, next_valid_id: Callable[[], int]) -> None:
        self._next_valid_id = next_valid_id
        self._passed = 0
        self._ahead: list[int] = []
        self._exits: dict[str, int] = {}

    @property
    def upcoming(self) -> int:
        """The id that `next_id` would give."""
        if self._ahead and self._lowest >= self._ahead[0]:
            return max(self._lowest, self._ahead[-1] + 1)
        return self._lowest

    @property
    def _lowest(self) -> int:
        """The lowest id that the broker would take."""
        return max(self._passed + 1, self._next_valid_id())

    def next_id(self) -> int:
        """The id of what leaves at once, below all that is claimed; above it when no id is left between."""
        self._passed = self.upcoming
        return self._passed

    def claim_ids(self, count: int) -> list[int]:
        """Ids for a heap that is to be claimed, rising; `keep` says which of them the record has taken."""
        self._ahead = [self._lowest - 1 + GAP * number for number in range(1, count + 1)]
        return list(self._ahead)

    def keep(self, claimed: Iterable[int]) -> None:
        """The record has these of them; the others are free again."""
        self._ahead = sorted(claimed)

    def pass_id(self, order_id: int) -> bool:
        """A claimed order's turn has come, whether it leaves or not; False when a higher id has left before it."""
        in_time, self._passed = order_id > self._passed, max(self._passed, order_id)
        self._ahead = [one for one in self._ahead if one > order_id]
        return in_time

    def used_id(self, order_id: int) -> None:
        """This id has been used before."""
        self._passed = max(self._passed, order_id)

    def used_exit(self, ref: str) -> None:
        """This reference of an exit has been used."""
        series, _, number = ref.rpartition("-X")
        if number.isdecimal():
            self._exits[series] = max(self._exits.get(series, 0), int(number))

    def next_exit(self, trade: Trade) -> int:
        """The running number of the next exit of (strategy, account, session)."""
        series = order_reference(trade.strategy, trade.account, trade.session, Purpose.EXIT, 0).rpartition("-X")[0]
        return self._exits.get(series, 0) + 1
