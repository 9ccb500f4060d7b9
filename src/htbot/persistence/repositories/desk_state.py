"""Facts that the desk must not forget, first of all whose turn it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import BigInteger, Executable, Select, Table, Text, bindparam, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import Insert, insert

from htbot.domain.errors import StopTrading
from htbot.execution.bid_bars import BidBars
from htbot.persistence.codecs import bids_from_json, bids_to_json
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.control import DeskStateRow

EPOCH = "epoch"
RECONCILED = "reconciled"
WORLD_ID = "world_id"
LAST_INSTANT = "last_instant"
UNPROTECTED_S = "unprotected_s"
RECONNECTS = "reconnects"
BID_BARS = "bid_bars"
HELD_BY = "held_by"
"""Who keeps the desk away from the broker; empty for nobody."""


class Superseded(StopTrading):
    """Another desk has begun an epoch: this one has nothing to say any more."""


def order_id_key(client_id: int) -> str:
    """Key of the highest order id ever reserved for a client."""
    return f"order_id:{client_id}"


def _set() -> Insert:
    statement = insert(cast(Table, DeskStateRow.__table__))
    return statement.on_conflict_do_update(index_elements=["key"], set_={"value": statement.excluded.value})


def _raise() -> Executable:
    state = cast(Table, DeskStateRow.__table__)
    statement = insert(state)
    at_least = sql_cast(statement.excluded.value, BigInteger)
    stored = sql_cast(state.c.value, BigInteger) + bindparam("step", type_=BigInteger())
    raised = sql_cast(func.greatest(stored, at_least), Text)
    return statement.on_conflict_do_update(index_elements=["key"], set_={"value": raised}).returning(state.c.value)


def _hold_epoch() -> Select[Any]:
    state = cast(Table, DeskStateRow.__table__)
    return select(state.c.value).where(state.c.key == EPOCH).with_for_update(read=True)


# Written at every instant, and with each close, so they are built once.
_SET, _RAISE, _HOLD_EPOCH = _set(), _raise(), _hold_epoch()


class DeskStateRepository(Repository):
    """Facts by key: those named above, and `order_id:<client>`."""

    def get(self, key: str) -> str | None:
        """The value of a key, None when it was never set."""
        return self._session.scalar(select(DeskStateRow.value).where(DeskStateRow.key == key))

    def set(self, key: str, value: str) -> None:
        """Set a key."""
        self._count(_SET, {"key": key, "value": value})

    def raise_to(self, key: str, at_least: int, *, step: int = 0) -> int:
        """Set an integer key to max(at_least, stored + step) in one statement and return it."""
        told = {"key": key, "value": str(at_least), "step": step}
        return int(self._session.scalars(_RAISE, told).one())

    def use_order_id(self, client_id: int, order_id: int) -> None:
        """This order id of a client is used, durably at the commit."""
        self.raise_to(order_id_key(client_id), order_id)

    def highest_order_id(self, client_id: int) -> int:
        """The highest order id that a client has ever used, 0 before the first."""
        return int(self.get(order_id_key(client_id)) or 0)

    def begin_epoch(self) -> int:
        """Start the next epoch, not reconciled: writes of any desk before this one are refused from now on."""
        self._session.info.pop(EPOCH, None)
        epoch = self.raise_to(EPOCH, 1, step=1)
        self.set(RECONCILED, "no")
        return epoch

    def count_reconnect(self) -> int:
        """The desk has taken the broker's session up again; how often it has by now."""
        return self.raise_to(RECONNECTS, 1, step=1)

    def reconnects(self) -> int:
        """How often any desk on this record has taken the broker's session up again."""
        return int(self.get(RECONNECTS) or 0)

    def epoch(self) -> int:
        """The present epoch, 0 before the first desk."""
        return int(self.get(EPOCH) or 0)

    def require_epoch(self, epoch: int) -> None:
        """Hold the epoch until this transaction ends, so that everything it writes is this desk's.

        Raises:
            Superseded: another desk has begun an epoch since.
        """
        if self._session.info.get(EPOCH) == epoch:  # held already: a unit of work has a session of its own
            return
        present = int(self._session.scalar(_HOLD_EPOCH) or 0)
        if present != epoch:
            raise Superseded(f"this desk has epoch {epoch}, the record is in epoch {present}: another desk took over")
        self._session.info[EPOCH] = epoch

    def keep_bids(self, bids: Mapping[str, BidBars], epoch: int) -> None:
        """The bars of bids of every bought option that this epoch's desk guards, by trade: those before are replaced.

        Raises:
            Superseded: another desk has begun an epoch.
        """
        self.require_epoch(epoch)
        self.set(BID_BARS, json.dumps({trade_id: bids_to_json(bars) for trade_id, bars in bids.items()}))

    def bids_of(self, trade_id: str) -> BidBars:
        """The bars of bids that a desk has kept of a trade; none of one that it has seen no bid of."""
        kept = json.loads(self.get(BID_BARS) or "{}").get(trade_id)
        return BidBars() if kept is None else bids_from_json(kept)

    def set_reconciled(self, epoch: int) -> None:
        """Books and broker agree in this epoch: entries may be decided."""
        self.require_epoch(epoch)
        self.set(RECONCILED, str(epoch))

    def reconciled(self) -> bool:
        """True when books and broker agreed in the present epoch."""
        stored = self.get(RECONCILED)
        return stored is not None and stored == self.get(EPOCH)
