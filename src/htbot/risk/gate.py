"""The gate between a signal and an intent: rules in order, first refusal wins, missing data refuses.

It has two doors. `judge` asks the record and the snapshot; when all of that passes, the order is shown to the broker as
a what-if and `judge_margin` looks at the answer. Both are pure: whoever stands between them does the asking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from htbot.domain.decisions import Approved, RiskDecision, RiskRefusal, RuleOutcome
from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.margin import WhatIf
from htbot.domain.signals import Signal
from htbot.portfolio.marks import mark_spread
from htbot.risk.book import Book
from htbot.risk.case import Case
from htbot.risk.limits import Limits
from htbot.risk.proposal import Proposal
from htbot.risk.rules import (
    account_daily_loss,
    account_type,
    buying_power,
    concurrent_trades,
    connection,
    daily_trades,
    day_risk,
    day_trades,
    delivery,
    drawdown,
    entries_per_day,
    entry_window,
    ex_dividend,
    good_faith,
    halt,
    identity,
    intraday_margin,
    leverage,
    loss_limits,
    minimum_credit,
    no_trade_window,
    open_orders,
    open_trade,
    opposite_side,
    order_notional,
    order_quantity,
    orders_per_day,
    orders_per_minute,
    overnight_margin,
    position_size,
    price_collar,
    quote_sanity,
    quotes,
    reconciled,
    repeated_order,
    settlement,
    short_sale,
    signals_per_minute,
    single_position,
    snapshot_age,
    spent_level,
    spread_shape,
    strategy_daily_loss,
    symbol_exposure,
    target_reachable,
    trading_enabled,
    weekly_trades,
    what_if,
)

__all__ = ["BROKER_RULES", "RULES", "RUNAWAY", "Proposal", "decision_id", "judge", "judge_margin"]

Rule = Callable[[Case], RuleOutcome]

RULES: tuple[Rule, ...] = (
    trading_enabled.check,
    halt.check,
    reconciled.check,
    connection.check,
    snapshot_age.check,
    identity.check,
    no_trade_window.check,
    entry_window.check,
    spent_level.check,
    open_trade.check,
    opposite_side.check,
    concurrent_trades.check,
    entries_per_day.check,
    daily_trades.check,
    weekly_trades.check,
    open_orders.check,
    signals_per_minute.check,
    orders_per_minute.check,
    orders_per_day.check,
    repeated_order.check,
    order_quantity.check,
    spread_shape.check,
    account_type.check,
    short_sale.check,
    ex_dividend.check,
    quotes.check,
    quote_sanity.check,
    minimum_credit.check,
    target_reachable.check,
    price_collar.check,
    loss_limits.check,
    strategy_daily_loss.check,
    account_daily_loss.check,
    drawdown.check,
    day_risk.check,
    order_notional.check,
    buying_power.check,
    position_size.check,
    single_position.check,
    symbol_exposure.check,
    leverage.check,
    overnight_margin.check,
    day_trades.check,
    settlement.check,
    good_faith.check,
    delivery.check,
)
"""What the record and the snapshot can answer, in order."""

BROKER_RULES: tuple[Rule, ...] = (intraday_margin.check, what_if.check)
"""What only the broker can answer: asked when all of `RULES` have passed."""

RUNAWAY = frozenset({"signals_per_minute", "repeated_order"})
"""A strategy that is refused by one of these has lost its mind: trading stops until a person has looked (FAULTS 42)."""

_DECISIONS = uuid5(NAMESPACE_URL, "htbot:risk-decision")


def decision_id(signal: Signal) -> UUID:
    """The id of the decision about a signal: the same signal is judged once, whoever asks again (RULINGS 2).

    A signal that was made at a closed bar is known by it, any other by its level; one that was observed is another one.
    """
    parts = (
        signal.strategy,
        signal.account,
        signal.session.isoformat(),
        str(int(signal.direction)),
        repr(signal.level) if signal.bar_start is None else signal.bar_start.isoformat(),
        *(["observed"] if signal.observed else []),
    )
    return uuid5(_DECISIONS, "|".join(parts))


def judge(proposal: Proposal, book: Book, limits: Limits, as_of: datetime) -> RiskDecision:
    """Put a proposal through every rule but the broker's, in order, and stop at the first that refuses.

    Args:
        proposal: signal, spread, snapshot and session.
        book: the record's state of the strategy and account at `as_of`.
        limits: the numbers to keep.
        as_of: decision time, aware UTC.

    Returns:
        `Approved` with every outcome, or `RiskRefusal` whose last outcome is the one that refused. An approval is
        stored only after `judge_margin`.
    """
    return _judge(RULES, (), _case(proposal, book, limits, as_of))


def judge_margin(approved: Approved, proposal: Proposal, book: Book, limits: Limits, answer: WhatIf) -> RiskDecision:
    """The rest of the decision: the broker's answer about the order that the approval has led to.

    Proposal, book and limits are those of `judge`; whatever the answer lacks refuses.
    """
    case = _case(proposal, book, limits, approved.as_of)
    return _judge(BROKER_RULES, approved.outcomes, replace(case, what_if=answer))


def _case(proposal: Proposal, book: Book, limits: Limits, as_of: datetime) -> Case:
    marks = mark_spread(proposal.plan.legs, proposal.snapshot.quotes, as_of, limits.quotes)
    return Case(proposal, book, limits, as_of, UNDERLYINGS.get(proposal.signal.symbol), marks)


def _judge(rules: tuple[Rule, ...], before: tuple[RuleOutcome, ...], case: Case) -> RiskDecision:
    outcomes, decided = list(before), decision_id(case.proposal.signal)
    for rule in rules:
        outcome = rule(case)
        outcomes.append(outcome)
        if not outcome.passed:
            return RiskRefusal(decided, case.as_of, tuple(outcomes))
    return Approved(decided, case.as_of, tuple(outcomes))
