"""What became of a trade whose legs have expired at the broker: closed by its settlement, or a case for a person.

Cash-settled options end at their value: what a call is above its strike, a put below it, and nothing otherwise. Options
on shares that end in the money deliver the shares, which no closing fill of ours can tell. A bought option that nobody
bid for as its session closed, and that the broker shows no more, has ended at nothing, whatever its underlying
settled at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.domain.fills import Fill
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.orders import Action
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade
from htbot.execution.reconciliation import REF_PREFIX
from htbot.portfolio.positions import latest


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known of an expiry: when the session of the expiry day closed, and at what the underlying settled.

    `unbid`: in the last look before that close there was a believable quote of the trade, and nobody bid.
    """

    closed_at: datetime | None
    price: Decimal | None
    unbid: bool = False


@dataclass(frozen=True, slots=True)
class Expired:
    """The trade ended by expiry: one closing fill per leg that was held, under `ref`."""

    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class NotExpired:
    """Nothing has expired, or the broker still shows it."""

    reason: str


@dataclass(frozen=True, slots=True)
class NeedsPerson:
    """The legs are gone at the broker and what they ended at is not known from here."""

    reason: str


@dataclass(frozen=True, slots=True)
class ExpiryCase:
    """One trade and what both books say of it.

    `ours` are the trade's own fills, `broker` what the broker shows by contract id, `executions` all that it told.
    """

    trade: Trade
    ours: Sequence[Fill]
    broker: Mapping[int, int]
    executions: Sequence[Fill] = ()

    def held(self, leg: SpreadLeg) -> int:
        """Net quantity of a leg in our books."""
        return sum(fill.signed_quantity for fill in latest(self.ours) if fill.con_id == leg.con_id)


def settle_expired(
    case: ExpiryCase, settlement: Settlement, ref: str, as_of: datetime
) -> Expired | NotExpired | NeedsPerson:
    """What the expiry of a trade's legs means for its record.

    Args:
        case: the trade and both books.
        settlement: what is known of the expiry day; unknown parts are None.
        ref: reference of the exit that the closing fills are booked under.
        as_of: market time, aware UTC.
    """
    held = [(leg, case.held(leg)) for leg in case.trade.spread_legs if case.held(leg)]
    waits = _not_expired(case, held, settlement, as_of)
    if waits is not None:
        return NotExpired(waits)
    stranger = _stranger(held, case.executions)
    if stranger is not None:
        return NeedsPerson(f"{stranger.exec_id} traded {_named(stranger)} without our reference before it expired")
    price, at = settlement.price, settlement.closed_at or as_of
    if price is None and settlement.unbid and case.trade.single is not None:
        return Expired(tuple(_closing(case.trade, (leg, quantity), Decimal(0), ref, at) for leg, quantity in held))
    if price is None:
        return NeedsPerson(f"{case.trade.symbol} has no known settlement price")
    delivered = [leg for leg, _ in held if intrinsic(leg, price)] if not _cash_settled(case.trade.symbol) else []
    if delivered:
        names = ", ".join(f"{leg.strike} {leg.right.value}" for leg in delivered)
        return NeedsPerson(f"{case.trade.symbol} settled at {price}: {names} in the money, shares are delivered")
    worth = [((leg, quantity), intrinsic(leg, price)) for leg, quantity in held]
    return Expired(tuple(_closing(case.trade, one, value, ref, at) for one, value in worth))


def intrinsic(leg: SpreadLeg, price: Decimal) -> Decimal:
    """Value of an option at expiry, per unit: what it is in the money by, 0 otherwise."""
    ahead = price - leg.strike if leg.right is Right.CALL else leg.strike - price
    return max(ahead, Decimal(0))


def _cash_settled(symbol: str) -> bool:
    """Unknown underlyings are taken to deliver: that needs a person."""
    return symbol in UNDERLYINGS and UNDERLYINGS[symbol].cash_settled


def _not_expired(
    case: ExpiryCase, held: Sequence[tuple[SpreadLeg, int]], settlement: Settlement, as_of: datetime
) -> str | None:
    if not held:
        return f"{case.trade.id} holds nothing"
    if settlement.closed_at is None:
        return f"the close of {case.trade.legs[0].expiry} is not known"
    if as_of < settlement.closed_at:
        return f"the session closes at {settlement.closed_at.isoformat()}"
    day = settlement.closed_at.astimezone(NEW_YORK).date()
    later = next((leg for leg, _ in held if leg.expiry > day), None)
    if later is not None:
        return f"{later.strike} {later.right.value} expires on {later.expiry}"
    shown = next((leg for leg, _ in held if case.broker.get(leg.con_id, 0)), None)
    return None if shown is None else f"the broker still shows {shown.strike} {shown.right.value}"


def _stranger(held: Iterable[tuple[SpreadLeg, int]], executions: Sequence[Fill]) -> Fill | None:
    con_ids = {leg.con_id for leg, _ in held}
    return next(
        (fill for fill in latest(executions) if fill.con_id in con_ids and not fill.ref.startswith(REF_PREFIX)), None
    )


def _named(fill: Fill) -> str:
    return f"{fill.quantity} {fill.symbol} {fill.strike} {'' if fill.right is None else fill.right.value}".strip()


def _closing(trade: Trade, ended: tuple[SpreadLeg, int], worth: Decimal, ref: str, at: datetime) -> Fill:
    """Its id follows from the trade and the contract, so that booking it again changes nothing."""
    leg, held = ended
    return Fill(
        exec_id=f"expiry-{trade.id}-{leg.con_id}.01",
        ref=ref,
        account=trade.account,
        con_id=leg.con_id,
        symbol=leg.symbol,
        expiry=leg.expiry,
        strike=leg.strike,
        right=leg.right,
        side=Action.SELL if held > 0 else Action.BUY,
        quantity=abs(held),
        price=worth,
        multiplier=leg.multiplier,
        executed_at=at,
        perm_id=0,
        commission=Decimal(0),
    )
