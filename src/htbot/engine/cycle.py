"""One decision instant of one strategy: look, signal, spread, risk, intent. Live trading and backtests run this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from htbot.domain.bars import Bar
from htbot.domain.decisions import Approved, RiskDecision, RiskRefusal, RuleOutcome
from htbot.domain.errors import CallerMistake, Refused
from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.margin import WhatIf
from htbot.domain.orders import OrderIntent
from htbot.domain.sessions import NEW_YORK, Session
from htbot.domain.signals import OBSERVED, Direction, Evaluation, OptionPlan, Signal, SinglePlan, SpreadPlan
from htbot.domain.trades import Trade
from htbot.domain.verticals import SingleRequest
from htbot.engine.looks import Scene, Stage, read_series, set_scene
from htbot.engine.memory import Memory, blank
from htbot.engine.plans import plan_options, plan_single
from htbot.execution.intents import EntryTerms, entry_intent
from htbot.marketdata.sessions import trading_window
from htbot.marketdata.snapshot import Snapshot
from htbot.risk.book import Book
from htbot.risk.gate import Proposal, decision_id, judge, judge_margin
from htbot.risk.limits import Limits
from htbot.strategies.base import BuysOptions, Fired, Look, Measures, Standing, Strategy

_WATCHED = RuleOutcome(OBSERVED, passed=False, limit="trade", value=OBSERVED)
"""What refuses an entry that every rule before the broker's has let through, and that nobody sends."""


@dataclass(frozen=True, slots=True)
class CycleInputs:
    """Everything that a decision at `as_of` (aware UTC) reads.

    `bars` are closed bars of regular hours, oldest first: all of the history, or with a `memory` all of this session
    and whatever closed after the memory. What ends after `as_of` is not looked at. `session` is None on a day without
    one. Of a strategy that is `observed` the signals are judged and nothing is sent.
    """

    strategy: Strategy[Any]
    snapshot: Snapshot
    session: Session | None
    bars: Sequence[Bar]
    book: Book
    limits: Limits
    as_of: datetime
    memory: Memory | None = None
    observed: bool = False


@dataclass(frozen=True, slots=True)
class CycleOutcome:
    """What came of it; each later field is None when the chain ended before it.

    A signal always has a decision, also when no order could be planned: that is a refusal, stored with its reason
    (RULINGS 22). `memory` is what to hand in at the next instant.
    """

    evaluation: Evaluation
    memory: Memory
    signal: Signal | None = None
    plan: OptionPlan | None = None
    decision: RiskDecision | None = None
    intent: OrderIntent | None = None
    trade: Trade | None = None


def decide(inputs: CycleInputs) -> CycleOutcome:
    """Run one instant: the strategy's looks, then, when one fires, spread or option, risk and intent.

    Raises:
        CallerMistake: the inputs do not belong together.
    """
    scene = _scene(inputs)
    evaluation, signal = _ask(inputs, scene)
    if signal is None or inputs.session is None:
        return CycleOutcome(evaluation, scene.memory)
    try:
        plan = plan_options(inputs.strategy.wanted(signal), inputs.snapshot, inputs.limits.quotes)
    except Refused as refused:
        refusal = _refusal(signal, refused)
        return CycleOutcome(evaluation, scene.memory, signal, decision=refusal)
    proposal = Proposal(signal, plan, inputs.snapshot, inputs.session)
    decision = judge(proposal, inputs.book, inputs.limits, inputs.as_of)
    if isinstance(decision, RiskRefusal):
        return CycleOutcome(evaluation, scene.memory, signal, plan, decision)
    if inputs.observed:
        watched = RiskRefusal(decision.id, decision.as_of, (*decision.outcomes, _WATCHED))
        return CycleOutcome(evaluation, scene.memory, signal, plan, watched)
    intent, trade = entry_intent(decision, proposal, _terms(inputs, inputs.session, plan))
    return CycleOutcome(evaluation, scene.memory, signal, plan, decision, intent, trade)


def confirm(inputs: CycleInputs, outcome: CycleOutcome, answer: WhatIf) -> CycleOutcome:
    """What becomes of an entry when the broker has answered its what-if: as it was, with two rules more, or refused.

    `inputs` are those of `decide`, with the book as it is by now: while the broker was asked, others of the account may
    have decided, so every rule is asked once more.

    Raises:
        CallerMistake: the outcome has no entry that could be confirmed.
    """
    signal, plan, session = outcome.signal, outcome.plan, inputs.session
    if not isinstance(outcome.decision, Approved) or signal is None or plan is None or session is None:
        raise CallerMistake("only an approved entry is shown to the broker")
    proposal = Proposal(signal, plan, inputs.snapshot, session)
    decision = judge(proposal, inputs.book, inputs.limits, inputs.as_of)
    if isinstance(decision, Approved):
        decision = judge_margin(decision, proposal, inputs.book, inputs.limits, answer)
    if isinstance(decision, RiskRefusal):
        return replace(outcome, decision=decision, intent=None, trade=None)
    return replace(outcome, decision=decision)


# --- looking ----------------------------------------------------------------------------------------------------------


def _scene(inputs: CycleInputs) -> Scene:
    strategy, snapshot, book = inputs.strategy, inputs.snapshot, inputs.book
    if snapshot.symbol != strategy.needs.symbol:
        raise CallerMistake(f"{strategy.name} trades {strategy.needs.symbol}, the snapshot is of {snapshot.symbol}")
    standing = Standing(
        flat=book.open_trades == 0,
        spent_levels=book.spent_levels,
        last_exit_at=book.last_exit_at,
    )
    series = read_series(inputs.bars, snapshot, strategy, inputs.as_of)
    stage = Stage(strategy, series, inputs.session, snapshot, standing, _offers(inputs))
    return set_scene(stage, inputs.memory or blank(strategy))


def _offers(inputs: CycleInputs) -> Mapping[Direction, SinglePlan | str]:
    """What a strategy that buys options could have now; most do not ask."""
    strategy, session = inputs.strategy, inputs.session
    if session is None or not isinstance(strategy, BuysOptions):
        return {}
    return {one.direction: _offer(inputs, one) for one in strategy.offers(session.day)}


def _offer(inputs: CycleInputs, request: SingleRequest) -> SinglePlan | str:
    try:
        return plan_single(request, inputs.snapshot, inputs.limits.quotes)
    except Refused as refused:
        return refused.reason


def _ask(inputs: CycleInputs, scene: Scene) -> tuple[Evaluation, Signal | None]:
    """Put the looks before the strategy in order; the first that fires ends it (ARCHITECTURE section 5)."""
    obstacle = _obstacle(inputs)
    if obstacle is not None:
        return _evaluation(inputs, scene.now, obstacle), None
    why_not = "there is no open bar"
    for look, measures in scene.looks:
        answer = inputs.strategy.decide(look, measures)
        if isinstance(answer, Fired):
            return _evaluation(inputs, measures, None), _signal(inputs, look, measures, answer)
        why_not = answer.why_not
    return _evaluation(inputs, scene.now, why_not), None


def _obstacle(inputs: CycleInputs) -> str | None:
    """Why nothing can be decided at all, None when it can; no signal is made of data that is missing or doubtful."""
    session, snapshot, book = inputs.session, inputs.snapshot, inputs.book
    age_s = (inputs.as_of - snapshot.as_of).total_seconds()
    local = inputs.as_of.astimezone(NEW_YORK)
    limit_s = inputs.limits.snapshot_age_limit_s
    checks: tuple[tuple[bool, str], ...] = (
        (session is None, f"{local:%Y-%m-%d} is not a session of the exchange"),
        (session is not None and not session.contains(inputs.as_of), f"the market is closed at {local:%H:%M:%S}"),
        (not snapshot.connected, "the desk has no connection to the broker"),
        (book.halted_by is not None, book.halted_by or ""),
        (not snapshot.trading_enabled, "the desk has not enabled trading"),
        (age_s < 0, f"the snapshot is {-age_s:g} s younger than this instant"),
        (age_s > limit_s, f"the snapshot is {age_s:g} s old, limit {limit_s:g} s"),
    )
    return next((text for met, text in checks if met), None)


def _evaluation(inputs: CycleInputs, measures: Measures, why_not: str | None) -> Evaluation:
    return Evaluation(
        strategy=inputs.strategy.name,
        account=inputs.snapshot.account,
        symbol=inputs.snapshot.symbol,
        as_of=inputs.as_of,
        trend=measures.trend,
        high=measures.high,
        low=measures.low,
        why_not=why_not,
        indicators=measures.indicators,
    )


def _signal(inputs: CycleInputs, look: Look, measures: Measures, fired: Fired) -> Signal:
    levels = {"high": measures.high, "low": measures.low}
    return Signal(
        strategy=inputs.strategy.name,
        account=inputs.snapshot.account,
        symbol=inputs.snapshot.symbol,
        session=look.session.day,
        as_of=inputs.as_of,
        direction=fired.direction,
        level=fired.level,
        price=fired.price,
        trend=measures.trend,
        reason=fired.reason,
        levels={name: value for name, value in levels.items() if value is not None},
        indicators=measures.indicators,
        observed=inputs.observed,
    )


# --- entering ---------------------------------------------------------------------------------------------------------


def _refusal(signal: Signal, refused: Refused) -> RiskRefusal:
    """A signal for which there is nothing to order is refused in the same form as by a risk rule."""
    outcome = RuleOutcome(refused.rule, passed=False, limit=refused.limit, value=refused.value, reason=refused.reason)
    return RiskRefusal(decision_id(signal), signal.as_of, (outcome,))


def _terms(inputs: CycleInputs, session: Session, plan: OptionPlan) -> EntryTerms:
    window, floor = trading_window(session, inputs.strategy.hours), None
    if isinstance(plan, SpreadPlan):
        floor = inputs.limits.floor_credit(UNDERLYINGS[plan.underlying], plan)
    return EntryTerms(
        sequence=inputs.book.next_sequence,
        config_hash=inputs.strategy.config_hash,
        rules=inputs.strategy.exit_rules(window),
        floor_credit=floor,
        entry_ends=window.entry_until,
    )
