"""The spread, the option or the shares are what their direction calls for (RULINGS 21)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.domain.instruments import Right
from htbot.domain.signals import Direction, SinglePlan
from htbot.domain.verticals import bought_right
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """One leg bought and one sold, same expiry and right, short strike nearer the money, width as stated."""
    signal, plan = case.proposal.signal, case.spread
    if case.single is not None:
        return _option(case, case.single)
    if plan is None:
        return _side(case)
    right = Right.PUT if signal.direction is Direction.BULL else Right.CALL
    wanted = f"{'bull put' if right is Right.PUT else 'bear call'} {plan.width} wide, expiring {signal.session}"
    value = " / ".join(f"{leg.ratio:+d} {leg.expiry} {leg.strike}{leg.right.value}" for leg in plan.legs)
    verdict = Verdict("spread_shape", wanted)
    if sorted(leg.ratio for leg in plan.legs) != [-1, 1]:
        return verdict.refused(value, "a vertical buys one leg and sells one")
    if any(leg.expiry != signal.session or leg.right is not right for leg in plan.legs):
        return verdict.refused(value, "expiry or right of a leg is not what the signal calls for")
    distance = (plan.short_leg.strike - plan.long_leg.strike) * int(signal.direction)
    return verdict.when(distance == plan.width > 0, value, f"the strikes are {distance} apart, not {plan.width}")


def _option(case: Case, plan: SinglePlan) -> RuleOutcome:
    """A call is bought on a bullish signal, a put on a bearish one, of the session's own expiry."""
    signal, leg = case.proposal.signal, plan.leg
    right = bought_right(signal.direction)
    wanted, value = (
        f"{one:+d} {day} {kind.value}"
        for one, day, kind in ((1, signal.session, right), (leg.ratio, leg.expiry, leg.right))
    )
    return Verdict("spread_shape", wanted).when(wanted == value, value, f"the signal calls for {wanted}, not {value}")


def _side(case: Case) -> RuleOutcome:
    """Shares are bought on a bullish signal and sold short on a bearish one."""
    wanted, ratio = int(case.proposal.signal.direction), case.proposal.plan.legs[0].ratio
    reason = f"the signal calls for {wanted:+d}, the order is for {ratio:+d}"
    return Verdict("spread_shape", f"{wanted:+d} share").when(ratio == wanted, f"{ratio:+d}", reason)
