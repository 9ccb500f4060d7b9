"""Numbers that must never be used twice: order ids at the broker, and the running numbers of exits."""

from __future__ import annotations

from htbot.domain.orders import Purpose, order_reference
from htbot.domain.trades import Trade


class OrderNumbers:
    """Reserved in memory, made durable with what uses them: by the record for entries, by the journal for closes.

    An order id exceeds every id that we have ever used and whatever the broker calls the next valid one, which may go
    back over a restart of the gateway (FAULTS, nightly restart).
    """

    def __init__(self) -> None:
        self._highest_id = 0
        self._exits: dict[str, int] = {}

    def used_id(self, order_id: int) -> None:
        """This id has been used before."""
        self._highest_id = max(self._highest_id, order_id)

    def reserve_id(self, next_valid_id: int) -> int:
        """The next order id; `next_valid_id` is the broker's word for it."""
        self._highest_id = max(next_valid_id, self._highest_id + 1)
        return self._highest_id

    def give_back(self, order_id: int) -> None:
        """Nothing was sent under this id; only the newest can be given back."""
        if order_id == self._highest_id:
            self._highest_id -= 1

    def used_exit(self, ref: str) -> None:
        """This reference of an exit has been used."""
        series, _, number = ref.rpartition("-X")
        if number.isdecimal():
            self._exits[series] = max(self._exits.get(series, 0), int(number))

    def next_exit(self, trade: Trade) -> int:
        """The running number of the next exit of (strategy, account, session)."""
        series = order_reference(trade.strategy, trade.account, trade.session, Purpose.EXIT, 0).rpartition("-X")[0]
        return self._exits.get(series, 0) + 1
