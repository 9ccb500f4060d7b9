"""Strikes of a vertical, chosen by the deltas that the quotes of the chain imply (spec 02 section 1c)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from htbot.domain.errors import Refused
from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote
from htbot.domain.verticals import DeltaVertical
from htbot.marketdata.chains import Vertical, out_of_the_money
from htbot.marketdata.snapshot import ListedOption
from htbot.pricing.black import implied_deviation, sensitivities


@dataclass(frozen=True, slots=True)
class _Priced:
    option: ListedOption
    delta: float


def delta_of(option: ListedOption, quote: Quote | None, spot: float) -> float | None:
    """The absolute delta that an option's mid implies; None without two uncrossed sides, or where no volatility fits.

    The forward is the spot: for an option of the day interest and dividends make no difference. A standard deviation
    until expiry is all that a delta takes, so no time to expiry is asked for.
    """
    if quote is None or quote.mid is None or quote.crossed or not quote.bid:
        return None
    deviation = implied_deviation(option.right, quote.mid, spot, float(option.strike))
    if deviation is None:
        return None
    return abs(sensitivities(option.right, spot, float(option.strike), deviation, years=1.0).delta)


def choose_by_delta(
    options: Iterable[ListedOption], quotes: Mapping[int, Quote], request: DeltaVertical, spot: float
) -> Vertical:
    """The option nearest to the short delta, and of those further out the one nearest to the long delta.

    Of two that are equally near the one further out of the money counts, which promises less. The bought strike always
    lies beyond the sold one: they are never the same, and never in the wrong order.

    Raises:
        Refused: rule `delta`, when no quoted option is near enough to one of the two.
    """
    listed = out_of_the_money(options, request, Decimal(str(spot)))
    deltas = [(option, delta_of(option, quotes.get(option.con_id), spot)) for option in listed]
    priced = [_Priced(option, delta) for option, delta in deltas if delta is not None]
    short = _nearest(priced, request.short_delta, request)
    beyond = priced[priced.index(short) + 1 :]
    return Vertical(short.option, _nearest(beyond, request.long_delta, request).option)


def _nearest(priced: list[_Priced], wanted: float, request: DeltaVertical) -> _Priced:
    """`priced` is nearest strike first, so that the last of two equals is the one further out."""
    best = min(reversed(priced), key=lambda one: abs(one.delta - wanted), default=None)
    if best is not None and abs(best.delta - wanted) <= request.tolerance:
        return best
    kind = "puts" if request.right is Right.PUT else "calls"
    found = "none" if best is None else f"{best.delta:.2f}"
    limit = f"{wanted:g} within {request.tolerance:g}"
    reason = f"of {len(priced)} quoted {kind} the nearest to a delta of {wanted:g} has {found}"
    raise Refused("delta", reason, limit=limit, value=found)
