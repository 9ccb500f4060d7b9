"""A vertical spread that a person proposes: the same gate, intent and record as for every signal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from htbot.domain.decisions import Approved, RiskDecision, RiskRefusal, RuleOutcome
from htbot.domain.errors import NotFound, Refused
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.orders import OrderIntent
from htbot.domain.sessions import NEW_YORK
from htbot.domain.sessions import Session as TradingSession
from htbot.domain.signals import Direction, Signal, SpreadPlan
from htbot.domain.trades import ExitRules, Trade
from htbot.domain.windows import TradingWindow
from htbot.execution.intents import EntryTerms, entry_intent
from htbot.marketdata.clock_state import GRID_S
from htbot.marketdata.sessions import trading_window
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry, Command
from htbot.persistence.repositories import (
    AuditRepository,
    CommandRepository,
    IntentRepository,
    RiskDecisionRepository,
    SessionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.persistence.states import CommandState
from htbot.risk.book import Book
from htbot.risk.gate import Proposal, decision_id, judge, judge_margin
from htbot.risk.limits import Limits
from htbot.services.callers import Caller, DeskAway, take
from htbot.services.desk_view import Live, look, snapshot_of
from htbot.services.manual_plan import Strikes, plan_strikes
from htbot.services.margin import AskMargin
from htbot.services.trade_record import store_quotes
from htbot.strategies.vertical_spread import VerticalSpread

KIND = "manual_signal"
STRATEGY = VerticalSpread.name
"""A person's spreads and the generator's are one strategy: one book, one trade at a time."""


@dataclass(frozen=True, slots=True)
class ManualRequest:
    """What a person wants: the strike bought, the strike sold, spreads. Missing parts follow from the rest."""

    strategy: str
    symbol: str
    quantity: int
    strike_long: Decimal
    strike_short: Decimal
    right: str | None = None
    expiry: date | None = None
    account: str | None = None

    @property
    def direction(self) -> Direction:
        """Premium is sold: the put spread has its long strike below, the call spread above (RULINGS 21).

        Raises:
            Refused: the strikes are equal, or the right makes it a spread that pays premium.
        """
        if self.strike_long == self.strike_short:
            raise Refused("spread_shape", "both strikes are the same", limit="two strikes", value=str(self.strike_long))
        direction = Direction.BULL if self.strike_long < self.strike_short else Direction.BEAR
        fitting = Right.PUT if direction is Direction.BULL else Right.CALL
        if self.right not in {None, fitting.value}:
            strikes = f"long {self.strike_long}, short {self.strike_short}, right {self.right}"
            raise Refused("spread_shape", "this spread pays premium", limit="a credit spread", value=strikes)
        return direction


@dataclass(frozen=True, slots=True)
class ManualTerms:
    """Limits of the gate and exits of the trade, for one underlying."""

    limits: Limits
    exit_rules: Callable[[TradingWindow], ExitRules]
    config_hash: str


@dataclass(frozen=True, slots=True)
class ManualAnswer:
    """An approved proposal: the order that the desk will send, and what every rule compared."""

    command_id: UUID
    decision_id: UUID
    accepted: bool
    ref: str
    trade_id: str
    limit: Decimal
    worst_limit: Decimal
    credit_mid: Decimal
    credit_natural: Decimal
    maximum_loss: Decimal
    outcomes: list[RuleOutcome] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate says of a proposal now. `refused_by` is null when it would pass; prices null when there is none."""

    accepted: bool
    refused_by: RuleOutcome | None
    credit_mid: Decimal | None = None
    credit_natural: Decimal | None = None
    maximum_loss: Decimal | None = None
    outcomes: list[RuleOutcome] = field(default_factory=list)


def nobody_to_ask(_request: ManualRequest) -> Snapshot | None:
    """The published snapshot has to do."""
    return None


def no_margin(_question: MarginQuestion) -> WhatIf:
    """Nobody can ask the broker."""
    return WhatIf(unknown="there is no desk to ask the broker")


def no_file() -> str | None:
    """No kill switch file is known."""
    return None


@dataclass(frozen=True, slots=True)
class ManualParts:
    """What proposals work with; `host_now` is wall time.

    `terms` gives an underlying's limits, `ask` the desk's market of this moment with the strikes of a request (None
    when it cannot be had), `ask_margin` the broker's what-if of an order. `halted_by` is what the kill switch file
    says: the record follows the file a second later.
    """

    database: Database
    live: Live
    terms: Callable[[str], ManualTerms]
    host_now: Callable[[], datetime]
    ask: Callable[[ManualRequest], Snapshot | None] = nobody_to_ask
    halted_by: Callable[[], str | None] = no_file
    ask_margin: AskMargin = no_margin


@dataclass(frozen=True, slots=True)
class _Scene:
    """The market at the decision."""

    snapshot: Snapshot
    session: TradingSession
    terms: ManualTerms

    @property
    def as_of(self) -> datetime:
        """The decision's time is that of its quotes."""
        return self.snapshot.as_of


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A proposal after the first door of the gate; intent and trade when it got through."""

    proposal: Proposal
    plan: SpreadPlan
    book: Book
    decision: RiskDecision
    intent: OrderIntent | None = None
    trade: Trade | None = None


class ManualSignals:
    """Judges proposals of people and stores what came of them."""

    def __init__(self, parts: ManualParts) -> None:
        self._parts = parts

    def propose(self, request: ManualRequest, caller: Caller) -> ManualAnswer:
        """Put a proposal through the gate; an approved one is committed as an intent, which the desk sends.

        Raises:
            Refused: a rule said no; signal and decision are stored with it.
            NotFound: no such account.
            DeskAway: there are no quotes to judge by.
            Conflict: the key was used for another command.
        """
        direction = request.direction
        asked = self._parts.ask(request)  # before the transaction: nothing waits for the desk inside one
        margin = self._ask_margin(request, direction, asked)
        answer: ManualAnswer | Refused
        with self._parts.database.transaction() as session:
            command, created = self._take(session, request, caller)
            if not created:
                return _repeated(command)
            scene = self._scene(session, request, asked)
            try:
                weighed = self._confirm(self._weigh(session, request, direction, scene), scene, margin)
                answer = _stored(session, weighed, command)
                result = dataclasses.asdict(answer)
            except Refused as refused:
                answer = refused
                result = _told(refused)
            state = CommandState.FAILED if isinstance(answer, Refused) else CommandState.DONE
            CommandRepository(session).advance(command.id, CommandState.PENDING, state, scene.as_of, result)
            AuditRepository(session).add(
                AuditEntry(scene.as_of, caller.actor, "trade.signal", request.symbol, {**command.params, **result})
            )
        if isinstance(answer, Refused):
            raise answer
        return answer

    def judge(self, request: ManualRequest) -> Judged:
        """What `propose` would come to now; nothing is written. Raises as `propose` does, but for refusals."""
        try:
            direction = request.direction
            asked = self._parts.ask(request)
            margin = self._ask_margin(request, direction, asked)
            with self._parts.database.transaction() as session:
                scene = self._scene(session, request, asked)
                weighed = self._confirm(self._weigh(session, request, direction, scene), scene, margin)
        except Refused as refused:
            return Judged(accepted=False, refused_by=RuleOutcome(passed=False, **_told(refused)))
        decision, plan = weighed.decision, weighed.plan
        refused_by = decision.refused_by if isinstance(decision, RiskRefusal) else None
        prices = (plan.mid_credit, plan.natural_credit, plan.maximum_loss_usd)
        return Judged(refused_by is None, refused_by, *prices, list(decision.outcomes))

    def _take(self, session: Session, request: ManualRequest, caller: Caller) -> tuple[Command, bool]:
        at = look(self._parts.live, self._parts.host_now()).market_time or self._parts.host_now()
        return take(session, KIND, dataclasses.asdict(request), caller, at)

    def _scene(self, session: Session, request: ManualRequest, asked: Snapshot | None) -> _Scene:
        """The desk's quotes, and the session that they belong to."""
        if request.symbol not in UNDERLYINGS:
            known = ", ".join(UNDERLYINGS)
            raise Refused("symbol", f"{request.symbol} is not traded", limit=known, value=request.symbol)
        desk = look(self._parts.live, self._parts.host_now())
        snapshot = asked or snapshot_of(self._parts.live, request.symbol)
        if desk.state != "running" or desk.clock is None or snapshot is None:
            raise DeskAway(f"there are no quotes of {request.symbol} now ({desk.connection}): the desk must stream it")
        seen = snapshot.of_account(request.account)
        if seen is None:
            raise NotFound(f"there is no account {request.account}: the desk trades {', '.join(snapshot.accounts)}")
        terms = self._parts.terms(request.symbol)
        age_s = (desk.clock.market_time - snapshot.as_of).total_seconds()
        limit_s = GRID_S + terms.limits.snapshot_age_limit_s
        if age_s > limit_s:
            raise Refused("snapshot_age", "the quotes are too old", limit=f"{limit_s:g} s", value=f"{age_s:g} s")
        today = snapshot.as_of.astimezone(NEW_YORK).date()
        trading_session = SessionRepository(session).get(today)
        if trading_session is None:
            raise Refused("session", f"{today} is not a session of the exchange", limit="a session", value=str(today))
        return _Scene(seen, trading_session, terms)

    def _ask_margin(
        self, request: ManualRequest, direction: Direction, asked: Snapshot | None
    ) -> tuple[MarginQuestion | None, WhatIf]:
        """The order that the proposal would become, and what the broker says of it; nothing is written."""
        try:
            with self._parts.database.transaction() as session:
                weighed = self._weigh(session, request, direction, self._scene(session, request, asked))
        except (Refused, NotFound, DeskAway):
            return None, WhatIf(unknown="there was no order to ask about")  # the same is found, and told, once more
        if weighed.intent is None:
            return None, WhatIf(unknown="there was no order to ask about")
        question = MarginQuestion.of(weighed.intent)
        return question, self._parts.ask_margin(question)

    def _weigh(self, session: Session, request: ManualRequest, direction: Direction, scene: _Scene) -> _Weighed:
        """Everything that the record and the quotes can say."""
        wanted = Strikes(request.strike_short, request.strike_long, request.quantity, request.expiry)
        plan = plan_strikes(wanted, direction, scene.snapshot, scene.session.day)
        key = BookKey(STRATEGY, scene.snapshot.account, scene.session.day)
        recorded = BookQuery(session).read_last(key, scene.as_of)
        book = dataclasses.replace(recorded, halted_by=recorded.halted_by or self._parts.halted_by())
        proposal = Proposal(_signal(request, direction, scene, book), plan, scene.snapshot, scene.session)
        decision = judge(proposal, book, scene.terms.limits, scene.as_of)
        if isinstance(decision, RiskRefusal):
            return _Weighed(proposal, plan, book, decision)
        window = trading_window(scene.session, scene.terms.limits.hours)
        entry = EntryTerms(
            sequence=book.next_sequence,
            config_hash=scene.terms.config_hash,
            rules=scene.terms.exit_rules(window),
            floor_credit=scene.terms.limits.floor_credit(UNDERLYINGS[plan.underlying], plan),
            entry_ends=window.entry_until,
        )
        return _Weighed(proposal, plan, book, decision, *entry_intent(decision, proposal, entry))

    @staticmethod
    def _confirm(weighed: _Weighed, scene: _Scene, margin: tuple[MarginQuestion | None, WhatIf]) -> _Weighed:
        """The second door: the answer counts for the very order that was asked about."""
        if not isinstance(weighed.decision, Approved) or weighed.intent is None:
            return weighed
        question, answer = margin
        if question != MarginQuestion.of(weighed.intent):
            answer = WhatIf(unknown="the market moved while the broker was asked: try again")
        limits = scene.terms.limits
        decision = judge_margin(weighed.decision, weighed.proposal, weighed.book, limits, answer)
        return dataclasses.replace(weighed, decision=decision)


def _stored(session: Session, weighed: _Weighed, command: Command) -> ManualAnswer:
    """Signal, decision and what came of it; a refusal is stored and raised."""
    decision, signal, plan = weighed.decision, weighed.proposal.signal, weighed.plan
    signal_id = SignalRepository(session).add(signal, _words(decision))
    if signal_id is None:
        raise Refused("open_trade", "another proposal was made at the same moment", limit="1", value="2")
    RiskDecisionRepository(session).add(decision, signal_id)
    if isinstance(decision, RiskRefusal):
        rule = decision.refused_by
        raise Refused(rule.rule, rule.reason, limit=rule.limit, value=rule.value)
    intent, trade = weighed.intent, weighed.trade
    if (
        intent is None
        or trade is None
        or not (TradeRepository(session).add(trade) and IntentRepository(session).add(intent))
    ):
        raise Refused("open_trade", "the strategy has a trade that is not closed", limit="0", value="1")
    store_quotes(session, weighed.proposal.snapshot, intent.legs)
    return ManualAnswer(
        command_id=command.id,
        decision_id=decision_id(signal),
        accepted=True,
        ref=intent.ref,
        trade_id=intent.trade_id,
        limit=intent.limit,
        worst_limit=intent.worst_limit,
        credit_mid=plan.mid_credit,
        credit_natural=plan.natural_credit,
        maximum_loss=plan.maximum_loss_usd,
        outcomes=list(decision.outcomes),
    )


def _signal(request: ManualRequest, direction: Direction, scene: _Scene, book: Book) -> Signal:
    """A signal by hand breaks no level; its place in the day stands in for one, so that each is a signal of its own."""
    ordinal = 1 + sum(1 for spent_direction, _ in book.spent_levels if spent_direction == direction)
    spot = scene.snapshot.spot
    return Signal(
        strategy=STRATEGY,
        account=scene.snapshot.account,
        symbol=request.symbol,
        session=scene.session.day,
        as_of=scene.as_of,
        direction=direction,
        level=float(ordinal),
        price=float(spot) if spot is not None else 0.0,
        trend=0,
        reason=f"by hand: long {request.strike_long}, short {request.strike_short}",
        levels={"strike_long": float(request.strike_long), "strike_short": float(request.strike_short)},
    )


def _words(decision: RiskDecision) -> str | None:
    """Why it was refused, as the record keeps it."""
    if not isinstance(decision, RiskRefusal):
        return None
    return f"{decision.refused_by.rule}: {decision.refused_by.reason}"


def _told(refused: Refused) -> dict[str, str]:
    return {"rule": refused.rule, "reason": refused.reason, "limit": refused.limit, "value": refused.value}


def _repeated(command: Command) -> ManualAnswer:
    """What the first call with this key was told."""
    told = dict(command.result)
    if command.state is CommandState.FAILED:
        raise Refused(told["rule"], told["reason"], limit=told["limit"], value=told["value"])
    return ManualAnswer(
        command_id=UUID(told["command_id"]),
        decision_id=UUID(told["decision_id"]),
        accepted=told["accepted"],
        ref=told["ref"],
        trade_id=told["trade_id"],
        limit=Decimal(told["limit"]),
        worst_limit=Decimal(told["worst_limit"]),
        credit_mid=Decimal(told["credit_mid"]),
        credit_natural=Decimal(told["credit_natural"]),
        maximum_loss=Decimal(told["maximum_loss"]),
        outcomes=[RuleOutcome(**outcome) for outcome in told["outcomes"]],
    )
