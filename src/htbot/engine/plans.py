"""From a signal to a priced spread or option: strikes from the listed chain, prices from live quotes, never a bar."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from htbot.domain.errors import Refused
from htbot.domain.instruments import UNDERLYINGS, Underlying
from htbot.domain.signals import OptionPlan, SinglePlan, SpreadLeg, SpreadPlan
from htbot.domain.verticals import DeltaVertical, SingleRequest, WantedOptions, WantedVertical
from htbot.marketdata.chains import Vertical, choose_single, choose_vertical
from htbot.marketdata.deltas import choose_by_delta
from htbot.marketdata.snapshot import ListedOption, Snapshot
from htbot.portfolio.marks import DEFAULT_TOLERANCE, Tolerance, mark_spread


def plan_options(request: WantedOptions, snapshot: Snapshot, tolerance: Tolerance = DEFAULT_TOLERANCE) -> OptionPlan:
    """What a request comes to on this snapshot, a spread or one option.

    Raises:
        Refused: there is no such thing, or it cannot be priced.
    """
    if isinstance(request, SingleRequest):
        return plan_single(request, snapshot, tolerance)
    return plan_spread(request, snapshot)


def plan_single(request: SingleRequest, snapshot: Snapshot, tolerance: Tolerance = DEFAULT_TOLERANCE) -> SinglePlan:
    """The option that a request comes to; its mid is rounded down to the grid, the side that pays less.

    What nobody bids for could not be sold again, and a quote that is not believable is no price (`tolerance`): the
    option is waited for.

    Raises:
        Refused: rule `chain` or `quotes`, when there is no such option or it has no price.
    """
    underlying, spot = _priced(snapshot)
    option = choose_single(_of_class(snapshot, underlying), request, spot)
    leg = _leg(option, underlying, ratio=1)
    marks = mark_spread((leg,), snapshot.quotes, snapshot.as_of, tolerance)
    bid, ask, mid = marks.legs[0].bid, marks.legs[0].ask, marks.legs[0].mid
    if marks.doubt is not None or ask is None or mid is None or not bid:
        reason = f"nobody bids for {leg.described}" if bid == 0 else marks.doubt or "it has no price"
        raise Refused("quotes", reason, limit="a believable bid and ask", value=f"{bid} / {ask}")
    tick = underlying.option_tick(ask)
    return SinglePlan(underlying.symbol, leg, request.quantity, max(_down(mid, tick), tick), ask, tick)


def plan_spread(request: WantedVertical, snapshot: Snapshot) -> SpreadPlan:
    """The spread that a request comes to on this snapshot.

    The natural credit is the short leg's bid less the long leg's ask; both credits are rounded down to the combo's
    tick, the side that promises less. Whether the quotes are fresh and narrow enough is risk's question.

    Raises:
        Refused: rule `chain`, `width`, `delta` or `quotes`, when there is no such spread or it cannot be priced.
    """
    underlying, spot = _priced(snapshot)
    chosen = _chosen(request, snapshot, underlying, spot)
    legs = (_leg(chosen.short, underlying, ratio=-1), _leg(chosen.long, underlying, ratio=1))
    marks = mark_spread(legs, snapshot.quotes, snapshot.as_of)
    if marks.natural_credit is None or marks.mid_credit is None:
        reason = marks.doubt or "a leg has no price"
        raise Refused("quotes", reason, limit="a bid and an ask on both legs", value="missing")
    return SpreadPlan(
        underlying=underlying.symbol,
        legs=legs,
        quantity=request.quantity,
        width=abs(chosen.short.strike - chosen.long.strike),
        mid_credit=_down(marks.mid_credit, underlying.combo_tick),
        natural_credit=_down(marks.natural_credit, underlying.combo_tick),
        tick=underlying.combo_tick,
    )


def _priced(snapshot: Snapshot) -> tuple[Underlying, float]:
    if snapshot.spot is None:
        raise Refused("quotes", f"{snapshot.symbol} has no price", limit="a spot price", value="none")
    return UNDERLYINGS[snapshot.symbol], snapshot.spot


def _chosen(request: WantedVertical, snapshot: Snapshot, underlying: Underlying, spot: float) -> Vertical:
    options = _of_class(snapshot, underlying)
    if isinstance(request, DeltaVertical):
        return choose_by_delta(options, snapshot.quotes, request, spot)
    return choose_vertical(options, request, spot)


def _of_class(snapshot: Snapshot, underlying: Underlying) -> list[ListedOption]:
    """SPX lists two classes for one day; only the PM-settled weekly one is traded."""
    return [option for option in snapshot.options if option.trading_class == underlying.option_class]


def _leg(option: ListedOption, underlying: Underlying, *, ratio: int) -> SpreadLeg:
    return SpreadLeg(
        con_id=option.con_id,
        symbol=underlying.symbol,
        expiry=option.expiry,
        strike=option.strike,
        right=option.right,
        ratio=ratio,
        multiplier=underlying.multiplier,
    )


def _down(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral_value(ROUND_FLOOR) * tick
