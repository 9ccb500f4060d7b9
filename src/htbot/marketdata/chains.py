"""Strikes chosen by place among the options that the broker really lists (spec 01 sections 6 and 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from htbot.domain.errors import Refused
from htbot.domain.instruments import Right
from htbot.domain.verticals import SingleRequest, VerticalRequest, WantedOptions
from htbot.marketdata.snapshot import ListedOption


@dataclass(frozen=True, slots=True)
class Vertical:
    """The two options of a spread: one to sell, one to buy."""

    short: ListedOption
    long: ListedOption


def out_of_the_money(options: Iterable[ListedOption], request: WantedOptions, spot: Decimal) -> list[ListedOption]:
    """The requested expiry's options strictly out of the money and strictly within range, nearest strike first.

    Of two options at one strike the one with the smaller contract id counts, so the order of the listing is no matter.
    """
    by_strike: dict[Decimal, ListedOption] = {}
    for option in sorted(options, key=lambda option: option.con_id):
        if option.expiry == request.expiry and option.right is request.right:
            by_strike.setdefault(option.strike, option)
    side = -1 if request.right is Right.PUT else 1
    away = {strike: (strike - spot) * side for strike in by_strike}
    return [
        by_strike[strike] for strike in sorted(away, key=away.__getitem__) if 0 < away[strike] < request.strike_range
    ]


def choose_vertical(options: Iterable[ListedOption], request: VerticalRequest, spot: float) -> Vertical:
    """The strikes at the requested places, `request.width` points apart.

    Raises:
        Refused: rule `chain` when the expiry lists too few strikes, `width` when a gap in it shifts the width.
    """
    listed = out_of_the_money(options, request, Decimal(str(spot)))
    kind = "puts" if request.right is Right.PUT else "calls"
    needed = max(request.short_index, request.long_index) + 1
    if len(listed) < needed:
        found = f"{len(listed)} {kind}"
        reason = (
            f"{found} expiring {request.expiry} are listed within {request.strike_range} of {spot:g}, {needed} needed"
        )
        raise Refused("chain", reason, limit=f"{needed} {kind}", value=found)
    chosen = Vertical(listed[request.short_index], listed[request.long_index])
    width = abs(chosen.short.strike - chosen.long.strike)
    if width != request.width:
        strikes = f"{chosen.short.strike}/{chosen.long.strike}"
        reason = f"strikes {strikes} are {width} apart, {request.width} wanted: the chain has a gap or another grid"
        raise Refused("width", reason, limit=str(request.width), value=str(width))
    return chosen


def choose_single(options: Iterable[ListedOption], request: SingleRequest, spot: float) -> ListedOption:
    """The option at the requested place.

    Raises:
        Refused: rule `chain` when too few are quoted.
    """
    listed = out_of_the_money(options, request, Decimal(str(spot)))
    kind = "puts" if request.right is Right.PUT else "calls"
    needed, found = request.index + 1, f"{len(listed)} {kind}"
    if len(listed) < needed:
        reason = f"{found} expiring {request.expiry} are quoted out of the money at {spot:g}, {needed} needed"
        raise Refused("chain", reason, limit=f"{needed} {kind}", value=found)
    return listed[request.index]
