"""Which trades a streaming line shows at an instant: what a client then takes for the last price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from htbot.domain.quotes import Quote
from htbot.market.ports import Print

FIRST_LOOK = timedelta(minutes=1)
MODELLED_LOOK = timedelta(seconds=2)


class Trades(Protocol):
    """The trades of a world up to one instant."""

    @property
    def at(self) -> datetime:
        """The instant."""
        ...

    def prints(self, con_id: int, since: datetime) -> Sequence[Print]:
        """Trades after `since` up to the instant."""
        ...

    def has_tape(self, con_id: int) -> bool:
        """True where each trade is recorded."""
        ...


def shown_trades(trades: Trades, quote: Quote, since: datetime | None, shown: float | None) -> Sequence[Print]:
    """The trades that a line tells now: each of a recorded tape, of a modelled one the last.

    Args:
        trades: the world at this instant.
        quote: the quote in force.
        since: the instant of the line's last look, None at its first.
        shown: the last price that it has told, None before the first.
    """
    con_id = quote.con_id
    if since is None:
        return trades.prints(con_id, trades.at - FIRST_LOOK)[-1:]
    if trades.has_tape(con_id):
        return trades.prints(con_id, since)
    if quote.last is not None and shown != quote.last:
        return trades.prints(con_id, max(since, trades.at - MODELLED_LOOK))[-1:]
    return ()
