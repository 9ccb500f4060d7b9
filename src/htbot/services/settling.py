"""Expired trades that nobody has told the end of: a person gives the settlement price, the desk books it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake, NotFound
from htbot.domain.trades import Trade
from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import AuditRepository, BarRepository, TradeRepository
from htbot.persistence.states import LIVE_TRADE_STATES
from htbot.services.command_kinds import SETTLE
from htbot.services.commands import Accepted, Caller, Conflict, require_desk, take
from htbot.services.desk_view import DeskView, Live, look

MOST_OFF = Decimal("0.05")
"""Furthest distance of a price from the last bar of the expiry day, as a fraction of that, without `force`."""


class Settling:
    """Writes down what a person knows; `host_now` is wall time."""

    def __init__(self, database: Database, live: Live, host_now: Callable[[], datetime]) -> None:
        self._database = database
        self._live = live
        self._host_now = host_now

    def settle(self, trade_id: str, price: Decimal, caller: Caller, *, force: bool = False) -> Accepted:
        """Book an expired trade at the settlement price of its underlying: one row, which the desk executes.

        The desk looks first whether its legs are gone at the broker; the command fails, and says why, when they are
        not, or when something is in the way that a price does not answer. What is booked is never taken back, so a
        price far from the last bar of the expiry day has to be said twice: with `force`.

        Raises:
            CallerMistake: the price is none, or far from the market and not forced.
            NotFound: there is no such trade.
            DeskAway: nobody is there to execute it.
            Conflict: the trade is over, has no options, or the key was used for another command.
        """
        if not price.is_finite() or price <= 0:
            raise CallerMistake(f"price {price}: give the settlement price of the underlying, above 0")
        desk = look(self._live, self._host_now())
        at = desk.market_time or self._host_now()
        with self._database.transaction() as session:
            trade = TradeRepository(session).get(trade_id)
            if trade is None:
                raise NotFound(f"there is no trade {trade_id}: `htbot trades` lists them")
            told = format(price, "f")
            command, created = take(session, SETTLE, {"trade": trade_id, "price": told}, caller, at)
            if created:
                if trade.state not in LIVE_TRADE_STATES:
                    raise Conflict(f"trade {trade_id} is over: it is {trade.state}")
                if not trade.spread_legs:
                    raise Conflict(f"trade {trade_id} is of {trade.symbol} itself, which does not expire")
                require_desk(desk)
                if not force:
                    _require_near(session, trade, price, desk)
                detail = {"key": caller.key, "price": told} | ({"force": True} if force else {})
                AuditRepository(session).add(AuditEntry(at, caller.actor, SETTLE, trade_id, detail))
        return Accepted(command.id, command.state.value)


def _require_near(session: Session, trade: Trade, price: Decimal, desk: DeskView) -> None:
    """A slip of the decimal point is no settlement price. Without a stored bar there is nothing to hold it against.

    Raises:
        CallerMistake: it is too far from the last bar of the expiry day.
    """
    day = max(leg.expiry for leg in trade.spread_legs)
    bar = None if desk.clock is None else BarRepository(session).last_of_day(desk.clock.world_id, trade.symbol, day)
    if bar is None:
        return
    last = Decimal(str(bar.close))
    off = abs(price - last) / last
    if off > MOST_OFF:
        raise CallerMistake(
            f"price {price:f} is {off:.1%} from {last:f}, the last bar of {trade.symbol} on {day}: "
            'when it is right all the same, force it (--force; "force": true)'
        )
