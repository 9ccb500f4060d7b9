"""The legs' quotes are prices of a live market (FAULTS 31, 32)."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.decisions import RuleOutcome
from htbot.domain.quotes import DATA_TYPES, LIVE_DATA, Quote
from htbot.domain.signals import Leg, PlainLeg, SpreadLeg
from htbot.marketdata.neighbours import Neighbour, neighbours
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Live data, not locked, and in order with the strikes beside: no two of them could be traded for a sure gain.

    The last is what a price of a hundred times too much or too little breaks, without any memory of earlier quotes.
    """
    snapshot = case.proposal.snapshot
    verdict = Verdict("quote_sanity", "live, not locked, in order with the strikes beside")
    legs: tuple[Leg, ...] = case.proposal.plan.legs
    for leg, mark in zip(legs, case.marks.legs, strict=True):
        name = leg.described
        quote = snapshot.quotes.get(leg.con_id)
        if quote is None or mark.bid is None or mark.ask is None:
            return verdict.refused("no quote", f"{name} has a side without a price")
        doubt = _doubt(quote)
        if doubt is None and not isinstance(leg, PlainLeg):
            doubt = _out_of_order(leg, (mark.bid, mark.ask), neighbours(snapshot, leg))
        if doubt is not None:
            return verdict.refused(f"{name} {mark.bid} / {mark.ask}", f"{name} {doubt}")
    return verdict.passed("in order")


def _doubt(quote: Quote) -> str | None:
    if quote.data_type != LIVE_DATA:
        return f"has {DATA_TYPES.get(quote.data_type, 'unknown')} data: a live subscription is needed"
    if quote.locked:
        return f"is locked at {quote.bid}"
    return None


def _out_of_order(leg: SpreadLeg, own: tuple[Decimal, Decimal], beside: tuple[Neighbour, ...]) -> str | None:
    """Bought at the ask and sold at the bid, the dearer of two strikes costs more than the cheaper one brings.

    And two options of one right never differ by more than their strikes do.
    """
    for other in beside:
        theirs = (other.bid, other.ask)
        (dear_bid, dear_ask), (cheap_bid, cheap_ask) = (theirs, own) if other.dearer else (own, theirs)
        if cheap_bid > dear_ask or dear_bid - cheap_ask > abs(other.strike - leg.strike):
            return f"is quoted {own[0]} / {own[1]} beside {other.bid} / {other.ask} at {other.strike}"
    return None
