"""What became of a trade whose legs have expired at the broker: closed by its settlement, or a case for a person.

Cash-settled options end at their value: what a call is above its strike, a put below it, and nothing otherwise. Options
on shares that end in the money deliver the shares, which no closing fill of ours can tell. A broker that tells of the
closing trades which it has made by itself, as the paper gateway does, has told their prices too: they are booked. A
person may give the price of each leg instead, whatever has become of it. A
bought option that nobody bid for as its session closed, that the broker held then and shows no more, has ended at
nothing, whatever its underlying settled at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from htbot.domain.fills import Fill
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.orders import Action
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Leg, SpreadLeg
from htbot.domain.trades import Trade
from htbot.execution.reconciliation import REF_PREFIX
from htbot.portfolio.positions import latest


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known of an expiry: when the session of the expiry day closed, and at what the underlying settled.

    `unbid`: in the last look before that close there was a believable quote of the trade, and nobody bid; the broker
    was seen to hold it then or later. `legs` is what a person says that each leg was closed at, by contract id. Of
    shares `price` is what somebody traded them at past us, and `quantity` how many, None all of them.
    """

    closed_at: datetime | None
    price: Decimal | None
    unbid: bool = False
    legs: Mapping[int, Decimal] = field(default_factory=dict)
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """What ended past us: one closing fill per leg that was held; `how` says where their prices came from."""

    fills: tuple[Fill, ...]
    how: str


@dataclass(frozen=True, slots=True)
class NotExpired:
    """Nothing has expired or is gone, or the broker still shows it."""

    reason: str


@dataclass(frozen=True, slots=True)
class NeedsPerson:
    """The legs are gone at the broker and what they ended at is not known from here; by a `price` it would be."""

    reason: str
    price_missing: bool = False


@dataclass(frozen=True, slots=True)
class StillStands:
    """What has to end at the broker before anything is booked; its cancel is asked for."""

    reason: str


Settled = Expired | NotExpired | NeedsPerson | StillStands


@dataclass(frozen=True, slots=True)
class ExpiryCase:
    """One trade and what both books say of it.

    `ours` are the trade's own fills, `broker` what the broker shows by contract id, `executions` all that it told.
    """

    trade: Trade
    ours: Sequence[Fill]
    broker: Mapping[int, int]
    executions: Sequence[Fill] = ()

    def held(self, leg: Leg) -> int:
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
    at = settlement.closed_at or as_of
    if settlement.legs:
        return _by_a_person(case.trade, held, settlement.legs, ref, at)
    return _by_what_is_known(case, held, settlement, ref, at)


def settle_shares(case: ExpiryCase, told: Settlement, books: int, ref: str, as_of: datetime) -> Expired | NotExpired:
    """Shares that somebody has sold, or bought back, past us: booked at the price that a person tells.

    Never more than the broker lacks of what our books have in the account, which may be more than one trade's.

    Args:
        case: the trade and both books.
        told: price per share, and how many; None: all that the trade holds.
        books: what our books have of the contract in the account.
        ref: reference of the exit that the closing fill is booked under.
        as_of: market time, aware UTC.
    """
    leg, shown = case.trade.legs[0], case.broker.get(case.trade.legs[0].con_id, 0)
    held = case.held(leg)
    if told.price is None:
        return NotExpired(f"{case.trade.id} is of shares: give the price that they were traded at")
    quantity = abs(held) if told.quantity is None else told.quantity
    if not 1 <= quantity <= abs(held):
        return NotExpired(f"{case.trade.id} holds {abs(held)}, not {quantity}")
    gone = max((books - shown) * (1 if held > 0 else -1), 0)
    if quantity > gone:
        return NotExpired(f"{gone} {leg.symbol} are gone, not {quantity}: the broker shows {shown}, our books {books}")
    fill = _closed(case.trade, (leg, held), quantity, told.price, ref, as_of)
    return Expired((fill,), "traded past us, at the price that a person gave")


def _by_what_is_known(
    case: ExpiryCase, held: Sequence[_Held], settlement: Settlement, ref: str, at: datetime
) -> Expired | NeedsPerson:
    """By the trades of the broker, else by the settlement price, else for nothing where nobody bid."""
    theirs = [fill for fill in latest(case.executions) if not fill.ref.startswith(REF_PREFIX)]
    told, stranger = _told(held, theirs, at), _stranger(held, theirs, at)
    if told is not None:
        return _by_the_broker(case.trade, told, theirs, ref, at)
    if stranger is not None:
        return NeedsPerson(f"{stranger.exec_id} traded {_named(stranger)} without our reference before it expired")
    if settlement.price is not None:
        return _by_settlement(case.trade, held, settlement.price, ref, at)
    if not settlement.unbid or case.trade.single is None:
        return NeedsPerson(f"{case.trade.symbol} has no known settlement price", price_missing=True)
    fills = tuple(_closing(case.trade, one, Decimal(0), ref, at) for one in held)
    return Expired(fills, "expired at the broker, nobody bid for it")


def _by_a_person(
    trade: Trade, held: Sequence[_Held], prices: Mapping[int, Decimal], ref: str, at: datetime
) -> Expired | NotExpired:
    """What is held ends at what a person says of each leg."""
    missing = [str(leg.con_id) for leg, _ in held if leg.con_id not in prices]
    if missing:
        return NotExpired(f"no price was given for {', '.join(missing)}")
    fills = tuple(_closing(trade, one, prices[one[0].con_id], ref, at) for one in held)
    return Expired(fills, "gone at the broker, closed at the prices that a person gave")


def _by_settlement(
    trade: Trade, held: Sequence[_Held], price: Decimal, ref: str, at: datetime
) -> Expired | NeedsPerson:
    """What is held ends at its value, unless shares are delivered for it."""
    delivered = [leg for leg, _ in held if intrinsic(leg, price)] if not _cash_settled(trade.symbol) else []
    if delivered:
        names = ", ".join(f"{leg.strike} {leg.right.value}" for leg in delivered)
        return NeedsPerson(f"{trade.symbol} settled at {price}: {names} in the money, shares are delivered")
    fills = tuple(_closing(trade, one, intrinsic(one[0], price), ref, at) for one in held)
    return Expired(fills, "expired at the broker")


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


_Held = tuple[SpreadLeg, int]
"""A leg and its net quantity in our books."""


def _told(held: Sequence[_Held], theirs: Sequence[Fill], at: datetime) -> list[tuple[_Held, Fill]] | None:
    """Of each leg a trade by which the broker has closed it, at the session's close or later; None without one of each.

    It closes what an account holds, which may be more than one trade's.
    """
    told = []
    for leg, quantity in held:
        own = [fill for fill in theirs if fill.con_id == leg.con_id]
        closes = all(fill.executed_at >= at and fill.signed_quantity * quantity < 0 for fill in own)
        if not closes or sum(fill.quantity for fill in own) < abs(quantity):
            return None
        told.append(((leg, quantity), own[-1]))
    return told


def _by_the_broker(
    trade: Trade, told: Sequence[tuple[_Held, Fill]], theirs: Iterable[Fill], ref: str, at: datetime
) -> Expired | NeedsPerson:
    """Books at the prices of the broker; shares that change hands at a strike of theirs are for a person."""
    strikes = {leg.strike for (leg, _quantity), _fill in told}
    for fill in theirs:
        at_expiry = fill.expiry is None and fill.executed_at >= at
        if at_expiry and fill.symbol == trade.symbol and fill.price in strikes:
            return NeedsPerson(f"{fill.exec_id} traded {_named(fill)} at expiry: shares are delivered")
    fills = tuple(_closing(trade, one, fill.price, ref, fill.executed_at) for one, fill in told)
    return Expired(fills, "expired, at the prices of the broker's own trades")


def _stranger(held: Iterable[_Held], theirs: Iterable[Fill], at: datetime) -> Fill | None:
    con_ids = {leg.con_id for leg, _ in held}
    return next((fill for fill in theirs if fill.con_id in con_ids and fill.executed_at < at), None)


def _named(fill: Fill) -> str:
    option = "" if fill.strike is None or fill.right is None else f" {fill.strike} {fill.right.value}"
    return f"{fill.quantity} {fill.symbol}{option}"


def _closing(trade: Trade, held: _Held, price: Decimal, ref: str, at: datetime) -> Fill:
    """Its id follows from the trade and the contract, so that booking it again changes nothing."""
    fill = _closed(trade, held, abs(held[1]), price, ref, at)
    return replace(fill, exec_id=f"expiry-{trade.id}-{fill.con_id}.01")


def _closed(trade: Trade, held: tuple[Leg, int], quantity: int, price: Decimal, ref: str, at: datetime) -> Fill:
    """A fill that closes so many of what is held; its id follows from the exit that it is booked under."""
    leg, net = held
    option = leg if isinstance(leg, SpreadLeg) else None
    return Fill(
        exec_id=f"settled-{ref}.01",
        ref=ref,
        account=trade.account,
        con_id=leg.con_id,
        symbol=leg.symbol,
        expiry=None if option is None else option.expiry,
        strike=None if option is None else option.strike,
        right=None if option is None else option.right,
        side=Action.SELL if net > 0 else Action.BUY,
        quantity=quantity,
        price=price,
        multiplier=leg.multiplier,
        executed_at=at,
        perm_id=0,
        commission=Decimal(0),
    )
