"""The spread that a person names by its strikes, priced as every spread is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from htbot.domain.errors import Refused
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.signals import Direction, SpreadPlan
from htbot.domain.verticals import VerticalRequest
from htbot.engine.plans import plan_spread
from htbot.marketdata.snapshot import ListedOption, Snapshot

_ANY_DISTANCE = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Strikes:
    """What is sold and bought, how many spreads; `expiry` None is the session's own."""

    short: Decimal
    long: Decimal
    quantity: int
    expiry: date | None = None


def plan_strikes(strikes: Strikes, direction: Direction, snapshot: Snapshot, day: date) -> SpreadPlan:
    """The named strikes on the session `day`: the chain is narrowed to the two of them.

    Raises:
        Refused: a strike is not streamed, the short one is in the money, or there is no price.
    """
    wanted = VerticalRequest(
        direction=direction,
        expiry=strikes.expiry or day,
        short_index=0,
        long_index=1,
        width=abs(strikes.long - strikes.short),
        strike_range=_ANY_DISTANCE,
        quantity=strikes.quantity,
    )
    short, long = (_listed(snapshot, wanted, strike) for strike in (strikes.short, strikes.long))
    _require_out_of_the_money(snapshot, wanted, short)
    return plan_spread(wanted, dataclasses.replace(snapshot, options=(short, long)))


def _listed(snapshot: Snapshot, wanted: VerticalRequest, strike: Decimal) -> ListedOption:
    option_class = UNDERLYINGS[snapshot.symbol].option_class
    for option in snapshot.options:
        named = (option.expiry, option.right, option.strike) == (wanted.expiry, wanted.right, strike)
        if named and option.trading_class == option_class:
            return option
    name = f"{option_class} {wanted.expiry} {strike}{wanted.right.value}"
    raise Refused("chain", f"the desk streams no {name}", limit="a streamed option", value=name)


def _require_out_of_the_money(snapshot: Snapshot, wanted: VerticalRequest, short: ListedOption) -> None:
    spot = snapshot.spot
    if spot is None:
        return
    beyond = short.strike >= Decimal(str(spot)) if wanted.right is Right.PUT else short.strike <= Decimal(str(spot))
    if beyond:
        limit = f"{'below' if wanted.right is Right.PUT else 'above'} {spot:g}"
        raise Refused("spread_shape", "the short strike is in the money", limit=limit, value=str(short.strike))
