"""From a signal to a priced spread: strikes from the listed chain, prices from live quotes, never from a bar."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from htbot.domain.errors import Refused
from htbot.domain.instruments import UNDERLYINGS, Underlying
from htbot.domain.signals import SpreadLeg, SpreadPlan
from htbot.domain.verticals import DeltaVertical, WantedVertical
from htbot.marketdata.chains import Vertical, choose_vertical
from htbot.marketdata.deltas import choose_by_delta
from htbot.marketdata.snapshot import ListedOption, Snapshot
from htbot.portfolio.marks import mark_spread


def plan_spread(request: WantedVertical, snapshot: Snapshot) -> SpreadPlan:
    """The spread that a request comes to on this snapshot.

    The natural credit is the short leg's bid less the long leg's ask; both credits are rounded down to the combo's
    tick, the side that promises less. Whether the quotes are fresh and narrow enough is risk's question.

    Raises:
        Refused: rule `chain`, `width`, `delta` or `quotes`, when there is no such spread or it cannot be priced.
    """
    underlying = UNDERLYINGS[snapshot.symbol]
    if snapshot.spot is None:
        raise Refused("quotes", f"{snapshot.symbol} has no price", limit="a spot price", value="none")
    chosen = _chosen(request, snapshot, underlying, snapshot.spot)
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
