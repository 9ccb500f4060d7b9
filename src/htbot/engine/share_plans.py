"""From a signal on a stock or fund to a priced plan: the touch from the instant's snapshot, never from a bar."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from htbot.domain.errors import Refused
from htbot.domain.signals import PlainLeg, PlainPlan
from htbot.domain.trades import ExitRules
from htbot.marketdata.snapshot import Snapshot
from htbot.portfolio.marks import CENT, mark_spread

HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class SharesWanted:
    """What a strategy asks for; `collar_fraction` is how far from the last trade the gate lets an entry go."""

    symbol: str
    side: int
    quantity: int
    rules: ExitRules
    collar_fraction: Decimal


def plan_shares(wanted: SharesWanted, snapshot: Snapshot) -> PlainPlan:
    """The order that this comes to: half of the collar beyond the touch, so that it trades at once and never far away.

    Raises:
        Refused: rule `quotes`, when the desk does not stream the symbol or its touch has no price.
    """
    con_id = snapshot.shares.get(wanted.symbol)
    if con_id is None:
        reason = f"the desk does not stream {wanted.symbol} as a stock or fund yet"
        raise Refused("quotes", reason, limit="a streamed stock", value="none")
    leg = PlainLeg(con_id, wanted.symbol, wanted.side)
    marks = mark_spread((leg,), snapshot.quotes, snapshot.as_of)
    if marks.natural_credit is None:
        raise Refused("quotes", marks.doubt or "no price", limit="a bid and an ask", value="missing")
    natural = -marks.natural_credit * wanted.side
    beyond = natural * (1 + wanted.side * wanted.collar_fraction * HALF)
    rounding = ROUND_FLOOR if wanted.side > 0 else ROUND_CEILING
    worst = (beyond / CENT).to_integral_value(rounding) * CENT
    return PlainPlan(
        underlying=wanted.symbol,
        leg=leg,
        quantity=wanted.quantity,
        natural=natural,
        worst=max(worst, natural) if wanted.side > 0 else min(worst, natural),
        tick=CENT,
        stop_price=wanted.rules.stop_price,
        stop_loss_usd=wanted.rules.stop_loss_usd,
        overnight=wanted.rules.overnight,
    )
