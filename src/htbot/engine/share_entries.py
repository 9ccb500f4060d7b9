"""From a wish of a strategy on a plain instrument to a judged entry: the same for live trading and for backtests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal

from htbot.domain.decisions import RiskRefusal, RuleOutcome
from htbot.domain.errors import Refused
from htbot.domain.margin import WhatIf
from htbot.domain.numeric import UNKNOWN, known
from htbot.domain.orders import OrderIntent
from htbot.domain.sessions import Session
from htbot.domain.signals import Signal
from htbot.domain.trades import ExitRules
from htbot.domain.windows import TradingHours
from htbot.engine.decided import Decided
from htbot.engine.observation import Fired
from htbot.engine.recorded import RecordedLoop
from htbot.engine.share_plans import SharesWanted, plan_shares
from htbot.execution.intents import EntryTerms, entry_intent
from htbot.marketdata.sessions import FLAT_BEFORE_EARLY_CLOSE, LATEST_PLAIN_EXIT, REGULAR_CLOSE, trading_window
from htbot.marketdata.snapshot import Snapshot
from htbot.risk.book import Book
from htbot.risk.gate import Proposal, decision_id, judge, judge_margin
from htbot.risk.limits import Limits
from htbot.strategies.bar_strategy import BarConfig

_CLOSE = time(*REGULAR_CLOSE)


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
class EntryDesk:
    """Who is asked about an entry: the gate's numbers, the book as it stands, the broker by a what-if."""

    limits: Limits
    read_book: Callable[[], Book]
    ask_margin: Callable[[OrderIntent], WhatIf]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A wish that has been before the gate; an entry that was shown to the broker with its proposal and the answer."""

    decided: Decided
    proposal: Proposal | None = None
    answer: WhatIf | None = None


def decide_shares(wanted: Wanted, snapshot: Snapshot, session: Session | None, desk: EntryDesk) -> Decided:
    """Put an entry before the gate, the broker's what-if last; a wish that comes to no order is refused."""
    weighed = weigh_shares(wanted, snapshot, session, desk)
    return settle_shares(weighed, desk.limits, desk.read_book)


def weigh_shares(wanted: Wanted, snapshot: Snapshot, session: Session | None, desk: EntryDesk) -> Weighed:
    """Put an entry before the gate, and show it to the broker when it passes."""
    try:
        return _weigh(wanted, snapshot, session, desk)
    except Refused as refused:
        return Weighed(_refused(wanted.signal, refused))


def settle_shares(weighed: Weighed, limits: Limits, read_book: Callable[[], Book]) -> Decided:
    """An entry that was shown to the broker is judged by every rule once more, on the book as it is by now."""
    decided, proposal, answer = weighed.decided, weighed.proposal, weighed.answer
    if proposal is None or answer is None:
        return decided
    book, signal = read_book(), decided.signal
    decision = judge(proposal, book, limits, signal.as_of)
    if not isinstance(decision, RiskRefusal):
        decision = judge_margin(decision, proposal, book, limits, answer)
    return Decided(signal, decision) if isinstance(decision, RiskRefusal) else replace(decided, decision=decision)


def _weigh(wanted: Wanted, snapshot: Snapshot, session: Session | None, desk: EntryDesk) -> Weighed:
    signal, config, limits = wanted.signal, wanted.config, desk.limits
    if not wanted.fresh:
        raise Refused("snapshot_age", "the bar was seen too late", limit="a fresh bar", value=signal.reason)
    if session is None or snapshot.net_liquidation is None:
        raise Refused("session", "session or net liquidation is unknown", limit="known", value="unknown")
    rules = exit_rules(config, session, wanted.fired)
    quantity = wanted.loop.units(wanted.fired.numbers["confidence"], wanted.fired.price, snapshot.net_liquidation)
    asked = SharesWanted(signal.symbol, int(signal.direction), quantity, rules, limits.plain_collar_fraction)
    plan = plan_shares(asked, snapshot)
    book = desk.read_book()
    told = replace(snapshot, symbol=signal.symbol, underlying_con_id=plan.leg.con_id, spot=None, options=())
    proposal = Proposal(signal, plan, told, session)
    decision = judge(proposal, book, limits, signal.as_of)
    if isinstance(decision, RiskRefusal):
        return Weighed(Decided(signal, decision))
    window = trading_window(session, limits.hours)
    entry_ends = min(window.entry_until, rules.exit_at or session.closes)
    terms = EntryTerms(book.next_sequence, wanted.config_hash, rules, None, entry_ends)
    intent, trade = entry_intent(decision, proposal, terms)
    return Weighed(Decided(signal, decision, trade, intent), proposal, desk.ask_margin(intent))


def exit_rules(config: BarConfig, session: Session, fired: Fired) -> ExitRules:
    """When a position must be closed: dollars of the configuration, prices of the advice, its exit time.

    The exit time is never later than the hard deadline: 15:45, on half days 15 minutes before the close (RULINGS 11).
    Without one it is held over night.
    """
    exit_at, deadline = _exit_times(config, session)
    return ExitRules(
        profit_target_usd=config.profit_target_usd,
        stop_loss_usd=config.stop_loss_usd,
        exit_at=exit_at,
        flat_deadline=deadline,
        stop_price=_price(fired.levels.get("stop", UNKNOWN)),
        target_price=_price(fired.levels.get("target", UNKNOWN)),
    )


def _exit_times(config: BarConfig, session: Session) -> tuple[datetime | None, datetime | None]:
    if config.exit_time is None:
        return None, None
    latest = session.at(LATEST_PLAIN_EXIT.hour, LATEST_PLAIN_EXIT.minute)
    deadline = min(latest, session.closes - FLAT_BEFORE_EARLY_CLOSE)
    return min(session.at(config.exit_time.hour, config.exit_time.minute), deadline), deadline


def hours_of(config: BarConfig, fallback: TradingHours) -> TradingHours:
    """Clock times of a strategy on shares; its exits are instants of their own (`exit_rules`).

    What may be held over night is entered until its own end of entries, at most until the close.
    """
    if config.exit_time is None:
        return TradingHours(config.entry_start, config.entry_end, _CLOSE, _CLOSE)
    leaves = min(config.exit_time, LATEST_PLAIN_EXIT)
    return TradingHours(config.entry_start, config.entry_end, leaves, max(leaves, fallback.flat_deadline))


def _price(level: float) -> Decimal | None:
    return Decimal(repr(level)).quantize(Decimal("0.0001")) if known(level) else None


def _refused(signal: Signal, refused: Refused) -> Decided:
    """A wish that comes to no order is refused in the same form as by a risk rule."""
    outcome = RuleOutcome(refused.rule, passed=False, limit=refused.limit, value=refused.value, reason=refused.reason)
    return Decided(signal, RiskRefusal(decision_id(signal), signal.as_of, (outcome,)))
