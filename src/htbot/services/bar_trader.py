"""Strategies on plain instruments that trade: their entries, put before the gate.

A wish is acted on once, in the transaction that first writes its signal, and only while its bar is fresh: what is found
out later, by another process or after a restart, is the record of a decision and makes no new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session as Transaction

from htbot.domain.decisions import RiskRefusal, RuleOutcome
from htbot.domain.errors import Refused
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.numeric import UNKNOWN, known
from htbot.domain.sessions import Session
from htbot.domain.signals import Signal
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.domain.windows import TradingHours
from htbot.engine.observation import Fired
from htbot.engine.recorded import Fate, RecordedLoop
from htbot.engine.share_plans import SharesWanted, plan_shares
from htbot.execution.intents import EntryTerms, entry_intent
from htbot.marketdata.sessions import FLAT_BEFORE_EARLY_CLOSE, trading_window
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.repositories import FillRepository, SessionRepository, TradeRepository
from htbot.risk.book import Book
from htbot.risk.gate import Proposal, decision_id, judge, judge_margin
from htbot.risk.limits import Limits
from htbot.services.decision_record import Decided, store_decided
from htbot.services.margin import AskMargin
from htbot.services.trade_mode import LATEST_EXIT
from htbot.services.trade_record import entry_reference_of
from htbot.strategies.bar_strategy import BarConfig

_LIVE = frozenset({TradeState.OPENING, TradeState.OPEN, TradeState.CLOSING})


@dataclass(frozen=True, slots=True)
class TraderParts:
    """What entries are judged with.

    `limits_of` gives the gate's numbers for a strategy's configuration, `ask_margin` shows the broker an entry,
    `enabled` is the person's switch (RULINGS 27).
    """

    limits_of: Callable[[BarConfig], Limits]
    ask_margin: AskMargin
    enabled: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a strategy wants after a bar that ended at `ended_at`, as a signal, and the loop that it came from."""

    signal: Signal
    fired: Fired
    loop: RecordedLoop
    config: BarConfig
    config_hash: str
    fresh: bool
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What an entry that was shown to the broker is judged by once more, and what the broker answered."""

    key: BookKey
    proposal: Proposal
    limits: Limits
    answer: WhatIf


@dataclass(frozen=True, slots=True)
class Weighed:
    """An entry that the broker has been asked about, or its refusal; nothing of it is written yet."""

    decided: Decided
    snapshot: Snapshot
    shown: Shown | None = None


class BarTrader:
    """Acts on wishes, each in the caller's transaction: all entries are weighed first, then entered one by one."""

    def __init__(self, parts: TraderParts) -> None:
        self._parts = parts

    def weigh(self, transaction: Transaction, wanted: Wanted, snapshot: Snapshot) -> Weighed:
        """Put an entry before the gate, and before the broker when the gate lets it through."""
        session = SessionRepository(transaction).get(wanted.signal.session)
        try:
            return self._entry(transaction, wanted, snapshot, session)
        except Refused as refused:
            return Weighed(_refused(wanted.signal, refused), snapshot)

    def enter(self, transaction: Transaction, weighed: Weighed) -> bool:
        """Write what was decided, an approval on the account's last book; False when its bar was decided on before."""
        decided, shown = weighed.decided, weighed.shown
        if shown is not None:
            signal = decided.signal
            book = self._switched(BookQuery(transaction).read_last(shown.key, signal.as_of))
            decision = judge(shown.proposal, book, shown.limits, signal.as_of)
            if not isinstance(decision, RiskRefusal):
                decision = judge_margin(decision, shown.proposal, book, shown.limits, shown.answer)
            refused = isinstance(decision, RiskRefusal)
            decided = Decided(signal, decision) if refused else replace(decided, decision=decision)
        return store_decided(transaction, decided, weighed.snapshot)

    def _entry(self, transaction: Transaction, wanted: Wanted, snapshot: Snapshot, session: Session | None) -> Weighed:
        signal, config, limits = wanted.signal, wanted.config, self._parts.limits_of(wanted.config)
        if not wanted.fresh:
            raise Refused("snapshot_age", "the bar was seen too late", limit="a fresh bar", value=signal.reason)
        if session is None or snapshot.net_liquidation is None:
            raise Refused("session", "session or net liquidation is unknown", limit="known", value="unknown")
        rules = exit_rules(config, session, wanted.fired)
        quantity = wanted.loop.units(wanted.fired.numbers["confidence"], wanted.fired.price, snapshot.net_liquidation)
        asked = SharesWanted(signal.symbol, int(signal.direction), quantity, rules, limits.plain_collar_fraction)
        plan = plan_shares(asked, snapshot)
        key = BookKey(signal.strategy, signal.account, signal.session)
        book = self._switched(BookQuery(transaction).read(key, signal.as_of))
        told = replace(snapshot, symbol=signal.symbol, underlying_con_id=plan.leg.con_id, spot=None, options=())
        proposal = Proposal(signal, plan, told, session)
        decision = judge(proposal, book, limits, signal.as_of)
        if isinstance(decision, RiskRefusal):
            return Weighed(Decided(signal, decision), snapshot)
        window = trading_window(session, limits.hours)
        terms = EntryTerms(book.next_sequence, wanted.config_hash, rules, None, min(window.entry_until, rules.exit_at))
        intent, trade = entry_intent(decision, proposal, terms)
        answer = self._parts.ask_margin(MarginQuestion.of(intent))
        return Weighed(Decided(signal, decision, trade, intent), snapshot, Shown(key, proposal, limits, answer))

    def _switched(self, book: Book) -> Book:
        """The book, halted while the person's switch is off."""
        off = "trading by strategies is switched off: set HTBOT_ENABLED=true"
        return book if self._parts.enabled else replace(book, halted_by=book.halted_by or off)


def exit_rules(config: BarConfig, session: Session, fired: Fired) -> ExitRules:
    """When a position must be closed: dollars of the configuration, prices of the advice, its exit time.

    The exit time is never later than the hard deadline: 15:45, on half days 15 minutes before the close (RULINGS 11).
    """
    deadline = min(session.at(LATEST_EXIT.hour, LATEST_EXIT.minute), session.closes - FLAT_BEFORE_EARLY_CLOSE)
    exit_time = config.exit_time
    exit_at = deadline if exit_time is None else min(session.at(exit_time.hour, exit_time.minute), deadline)
    return ExitRules(
        profit_target_usd=config.profit_target_usd,
        stop_loss_usd=config.stop_loss_usd,
        exit_at=exit_at,
        flat_deadline=deadline,
        stop_price=_price(fired.levels.get("stop", UNKNOWN)),
        target_price=_price(fired.levels.get("target", UNKNOWN)),
    )


def hours_of(config: BarConfig, fallback: TradingHours) -> TradingHours:
    """Clock times of a strategy on shares; its exits are instants of their own (`exit_rules`)."""
    leaves = min(config.exit_time or fallback.exit_time, LATEST_EXIT)
    return TradingHours(config.entry_start, config.entry_end, leaves, max(leaves, fallback.flat_deadline))


def fates_of(transaction: Transaction, strategy: str, account: str, since: datetime) -> list[Fate]:
    """What became of each entry of a strategy since a market time, from trades and fills of the record."""
    trades = TradeRepository(transaction).of_strategy(strategy, account, since)
    fills = FillRepository(transaction).of_refs([entry_reference_of(trade) for trade in trades])
    first: dict[str, datetime] = {}
    for fill in fills:
        first[fill.ref] = min(first.get(fill.ref, fill.executed_at), fill.executed_at)
    return [_fate(trade, first.get(entry_reference_of(trade))) for trade in trades]


def _fate(trade: Trade, filled_at: datetime | None) -> Fate:
    side, rules = trade.legs[0].ratio, trade.rules
    return Fate(
        session=trade.session.toordinal(),
        side=side,
        quantity=trade.quantity,
        price=UNKNOWN if trade.credit is None else float(-trade.credit * side),
        filled_s=None if filled_at is None else filled_at.timestamp(),
        closed_s=None if trade.state in _LIVE or trade.closed_at is None else trade.closed_at.timestamp(),
        stop=UNKNOWN if rules.stop_price is None else float(rules.stop_price),
        target=UNKNOWN if rules.target_price is None else float(rules.target_price),
    )


def _price(level: float) -> Decimal | None:
    return Decimal(repr(level)).quantize(Decimal("0.0001")) if known(level) else None


def _refused(signal: Signal, refused: Refused) -> Decided:
    """A wish that comes to no order is refused in the same form as by a risk rule."""
    outcome = RuleOutcome(refused.rule, passed=False, limit=refused.limit, value=refused.value, reason=refused.reason)
    return Decided(signal, RiskRefusal(decision_id(signal), signal.as_of, (outcome,)))
