"""Trades whose end nobody has told, expired or closed by hand past us: a person gives prices, the desk books it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake, NotFound
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import Trade
from htbot.execution.expiry import intrinsic
from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import AuditRepository, BarRepository, TradeRepository
from htbot.persistence.states import LIVE_TRADE_STATES
from htbot.services.callers import Accepted, Caller, Conflict, require_desk, take
from htbot.services.command_kinds import SETTLE
from htbot.services.desk_view import DeskView, Live, look

MOST_OFF = Decimal("0.05")
"""Furthest distance of a price from the last bar of the expiry day, as a fraction of that, without `force`."""

Check = Callable[[Trade, Decimal | None], None]
"""Of the trade, and the close of the last bar of its expiry day where one is stored; raises `CallerMistake`."""


class Settling:
    """Writes down what a person knows; `host_now` is wall time.

    One row, which the desk executes. It looks first whether the legs are gone at the broker; the command fails, and
    says why, when they are not, or when something is in the way that a price does not answer. What is booked is never
    taken back, so a price far from the last bar of the expiry day has to be said twice: with `force`.
    """

    def __init__(self, database: Database, live: Live, host_now: Callable[[], datetime]) -> None:
        self._database = database
        self._live = live
        self._host_now = host_now

    def settle(
        self, trade_id: str, price: Decimal, caller: Caller, *, quantity: int | None = None, force: bool = False
    ) -> Accepted:
        """Book an expired trade at the settlement price of its underlying, or shares at what they were traded at.

        Args:
            trade_id: a trade that is gone at the broker, in part at least where it is of shares.
            price: dollars of the underlying, or per share.
            caller: who, and under which key.
            quantity: how many shares; None: all that the trade holds.
            force: take a price that is far from the last bar.

        Raises:
            CallerMistake: the price is none, or far from the market and not forced; a quantity of options.
            NotFound: there is no such trade.
            DeskAway: nobody is there to execute it.
            Conflict: the trade is over, or the key was used for another command.
        """
        if not price.is_finite() or price <= 0:
            raise CallerMistake(f"price {price}: give the settlement price of the underlying, or per share, above 0")
        check = partial(_require_near, price=price, quantity=quantity, force=force)
        told = {"price": format(price, "f")} | ({} if quantity is None else {"quantity": quantity})
        return self._take(trade_id, told, caller, check, force=force)

    def close_legs(
        self, trade_id: str, prices: Mapping[int, Decimal], caller: Caller, *, force: bool = False
    ) -> Accepted:
        """Book an expired trade at what each of its legs was closed at, by contract id, per unit.

        That is for legs that somebody traded by hand, and for those that ended in shares.

        Raises:
            CallerMistake: a price is none, is missing, or is far from what the leg was worth, and not forced.
            NotFound, DeskAway, Conflict: as of `settle`.
        """
        for con_id, price in prices.items():
            if not price.is_finite() or price < 0:
                raise CallerMistake(f"price {price} of {con_id}: give what the leg was closed at, 0 or above")
        told = {str(con_id): format(prices[con_id], "f") for con_id in sorted(prices)}
        check = partial(_require_legs, prices=prices, force=force)
        return self._take(trade_id, {"legs": told}, caller, check, force=force)

    def _take(self, trade_id: str, told: dict[str, Any], caller: Caller, check: Check, *, force: bool) -> Accepted:
        desk = look(self._live, self._host_now())
        at = desk.market_time or self._host_now()
        with self._database.transaction() as session:
            trade = TradeRepository(session).get(trade_id)
            if trade is None:
                raise NotFound(f"there is no trade {trade_id}: `htbot trades` lists them")
            command, created = take(session, SETTLE, {"trade": trade_id, **told}, caller, at)
            if created:
                if trade.state not in LIVE_TRADE_STATES:
                    raise Conflict(f"trade {trade_id} is over: it is {trade.state}")
                require_desk(desk)
                check(trade, _last_close(session, trade, desk, at))
                detail = {"key": caller.key, **told} | ({"force": True} if force else {})
                AuditRepository(session).add(AuditEntry(at, caller.actor, SETTLE, trade_id, detail))
        return Accepted(command.id, command.state.value)


def _expiry(trade: Trade) -> date:
    return max(leg.expiry for leg in trade.spread_legs)


def _last_close(session: Session, trade: Trade, desk: DeskView, at: datetime) -> Decimal | None:
    """Of the day of the expiry; of shares, which may be traded at any time, of today."""
    if desk.clock is None:
        return None
    day = at.astimezone(NEW_YORK).date() if trade.plain is not None else _expiry(trade)
    bar = BarRepository(session).last_of_day(desk.clock.world_id, trade.symbol, day)
    return None if bar is None else Decimal(str(bar.close))


def _require_near(
    trade: Trade, last: Decimal | None, *, price: Decimal, quantity: int | None = None, force: bool
) -> None:
    """A slip of the decimal point is no price. Without a stored bar there is nothing to hold it against."""
    if trade.plain is None and quantity is not None:
        raise CallerMistake(f"trade {trade.id} is of options, which end as a whole: leave the quantity out")
    if force or last is None or abs(price - last) <= MOST_OFF * last:
        return
    day = "today" if trade.plain is not None else f"on {_expiry(trade)}"
    raise CallerMistake(
        f"price {price:f} is {abs(price - last) / last:.1%} from {last:f}, the last bar of {trade.symbol} {day}: "
        'when it is right all the same, force it (--force; "force": true)'
    )


def _require_legs(trade: Trade, last: Decimal | None, *, prices: Mapping[int, Decimal], force: bool) -> None:
    """Each leg has a price, and none is further from what it was worth at the last bar than that may be off."""
    legs = {leg.con_id: leg for leg in trade.spread_legs}
    if not legs:
        raise CallerMistake(f"trade {trade.id} is of {trade.symbol} itself: give the price per share")
    if legs.keys() != prices.keys():
        names = ", ".join(f"{con_id} ({leg.strike.normalize():f} {leg.right.value})" for con_id, leg in legs.items())
        raise CallerMistake(f"trade {trade.id} has these legs, give the price of each and of no other: {names}")
    for con_id, leg in legs.items():
        if force or last is None or abs(prices[con_id] - intrinsic(leg, last)) <= MOST_OFF * last:
            continue
        raise CallerMistake(
            f"price {prices[con_id]:f} of {con_id}: it was worth {intrinsic(leg, last):f} with {trade.symbol} at "
            f"{last:f}, the last bar on {_expiry(trade)}: when it is right all the same, force it "
            '(--force; "force": true)'
        )
