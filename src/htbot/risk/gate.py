"""The gate between a signal and an intent: rules in order, first refusal wins, missing data refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from htbot.domain.decisions import Approved, RiskDecision, RiskRefusal, RuleOutcome
from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.signals import Signal
from htbot.portfolio.marks import mark_spread
from htbot.risk.book import Book
from htbot.risk.case import Case
from htbot.risk.limits import Limits
from htbot.risk.proposal import Proposal
from htbot.risk.rules import (
    account_daily_loss,
    buying_power,
    connection,
    day_risk,
    delivery,
    entries_per_day,
    entry_window,
    halt,
    identity,
    loss_limits,
    minimum_credit,
    open_orders,
    open_trade,
    order_quantity,
    orders_per_minute,
    quotes,
    reconciled,
    snapshot_age,
    spent_level,
    spread_shape,
    strategy_daily_loss,
    target_reachable,
    trading_enabled,
)

__all__ = ["RULES", "Proposal", "decision_id", "judge"]

Rule = Callable[[Case], RuleOutcome]

RULES: tuple[Rule, ...] = (
    trading_enabled.check,
    halt.check,
    reconciled.check,
    connection.check,
    snapshot_age.check,
    identity.check,
    entry_window.check,
    spent_level.check,
    open_trade.check,
    entries_per_day.check,
    open_orders.check,
    orders_per_minute.check,
    order_quantity.check,
    spread_shape.check,
    quotes.check,
    minimum_credit.check,
    target_reachable.check,
    loss_limits.check,
    strategy_daily_loss.check,
    account_daily_loss.check,
    day_risk.check,
    buying_power.check,
    delivery.check,
)

_DECISIONS = uuid5(NAMESPACE_URL, "htbot:risk-decision")


def decision_id(signal: Signal) -> UUID:
    """The id of the decision about a signal: the same signal is judged once, whoever asks again (RULINGS 2)."""
    parts = (
        signal.strategy,
        signal.account,
        signal.session.isoformat(),
        str(int(signal.direction)),
        repr(signal.level),
    )
    return uuid5(_DECISIONS, "|".join(parts))


def judge(proposal: Proposal, book: Book, limits: Limits, as_of: datetime) -> RiskDecision:
    """Put a proposal through every rule in order and stop at the first that refuses.

    Args:
        proposal: signal, spread, snapshot and session.
        book: the record's state of the strategy and account at `as_of`.
        limits: the numbers to keep.
        as_of: decision time, aware UTC.

    Returns:
        `Approved` with every outcome, or `RiskRefusal` whose last outcome is the one that refused.
    """
    marks = mark_spread(proposal.plan.legs, proposal.snapshot.quotes, as_of, limits.quotes)
    case = Case(proposal, book, limits, as_of, UNDERLYINGS.get(proposal.signal.symbol), marks)
    outcomes: list[RuleOutcome] = []
    for rule in RULES:
        outcome = rule(case)
        outcomes.append(outcome)
        if not outcome.passed:
            return RiskRefusal(decision_id(proposal.signal), as_of, tuple(outcomes))
    return Approved(decision_id(proposal.signal), as_of, tuple(outcomes))
