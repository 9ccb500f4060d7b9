"""Entries of the load: judged and stored as the worker does it, a strategy name to each lane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Protocol

from sqlalchemy.orm import Session as Transaction

from htbot.domain.decisions import RiskRefusal
from htbot.domain.errors import Refused, StopTrading
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.sessions import NEW_YORK, Session
from htbot.domain.signals import Direction, Plan, Signal
from htbot.domain.trades import ExitRules
from htbot.domain.verticals import VerticalRequest
from htbot.domain.windows import TradingWindow
from htbot.engine.plans import plan_spread
from htbot.execution.intents import EntryTerms, entry_intent
from htbot.marketdata.sessions import trading_window
from htbot.marketdata.snapshot import ListedOption, Snapshot
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.repositories import (
    IntentRepository,
    RiskDecisionRepository,
    SessionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.risk.gate import Proposal, judge
from htbot.risk.limits import Limits

CONFIG = "chaos-load"
NEAREST, FARTHEST, STRIKES_BETWEEN = 1, 4, 8
MOST_QUANTITY = 3
_ANY_DISTANCE = Decimal(1_000_000)


@dataclass(slots=True)
class Strikes:
    """Chooses spreads so that no contract is sold by one trade and bought by another.

    The broker nets a contract over all trades: a spread beside its opposite would show nothing held, and nothing could
    be closed any more.
    """

    signs: dict[int, int] = field(default_factory=dict)

    def choose(self, snapshot: Snapshot, rng: Random) -> tuple[Direction, ListedOption, ListedOption] | None:
        """A direction, the option to sell and the one to buy; None when none of several draws fits."""
        for _ in range(8):
            direction = rng.choice((Direction.BULL, Direction.BEAR))
            right = Right.PUT if direction is Direction.BULL else Right.CALL
            listed = _out_of_the_money(snapshot, right)
            near = rng.randint(NEAREST, FARTHEST)
            if near + STRIKES_BETWEEN >= len(listed):
                continue
            short, long = listed[near], listed[near + STRIKES_BETWEEN]
            if self.signs.get(short.con_id, -1) == -1 and self.signs.get(long.con_id, 1) == 1:
                self.signs |= {short.con_id: -1, long.con_id: 1}
                return direction, short, long
        return None


def _out_of_the_money(snapshot: Snapshot, right: Right) -> list[ListedOption]:
    spot = Decimal(str(snapshot.spot or 0))
    side = -1 if right is Right.PUT else 1
    wanted = UNDERLYINGS[snapshot.symbol].option_class
    quoted = [
        option
        for option in snapshot.options
        if option.right is right and option.trading_class == wanted and option.con_id in snapshot.quotes
    ]
    away = [option for option in quoted if (option.strike - spot) * side > 0]
    return sorted(away, key=lambda option: abs(option.strike - spot))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a lane asks for at an instant: what to enter, on which quotes, when it is closed, the least credit.

    `floor_credit` is None for shares.
    """

    plan: Plan
    told: Snapshot
    rules: ExitRules
    floor_credit: Decimal | None


class Lane(Protocol):
    """One entry to be made under a strategy name of its own."""

    @property
    def strategy(self) -> str:
        """Whose."""
        ...

    @property
    def direction(self) -> Direction:
        """Up or down."""
        ...

    def ask(self, snapshot: Snapshot, window: TradingWindow, limits: Limits) -> Asked:
        """What it comes to on these quotes.

        Raises:
            Refused: they have no price for it.
        """
        ...


@dataclass(frozen=True, slots=True)
class SpreadLane:
    """A vertical: of what, how many, and when the guard has to close it (None: at the end of the day)."""

    strategy: str
    direction: Direction
    short: ListedOption
    long: ListedOption
    quantity: int
    exit_after: timedelta | None

    def ask(self, snapshot: Snapshot, window: TradingWindow, limits: Limits) -> Asked:
        """The vertical of its two options."""
        request = VerticalRequest(
            direction=self.direction,
            expiry=self.short.expiry,
            short_index=0,
            long_index=1,
            width=abs(self.short.strike - self.long.strike),
            strike_range=_ANY_DISTANCE,
            quantity=self.quantity,
        )
        plan = plan_spread(request, replace(snapshot, options=(self.short, self.long)))
        exit_at = exit_time(snapshot.as_of, window, self.exit_after)
        rules = ExitRules(limits.profit_target_usd, limits.stop_loss_usd, exit_at, window.flat_deadline)
        return Asked(plan, snapshot, rules, limits.floor_credit(UNDERLYINGS[plan.underlying], plan))


def exit_time(as_of: datetime, window: TradingWindow, after: timedelta | None) -> datetime:
    """When the guard closes a trade: so much later, at the end of the day when None."""
    return window.exit_at if after is None else min(as_of + after, window.exit_at)


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of it: the trade, or the rule that refused it."""

    trade_id: str | None
    refused_by: str | None = None


def enter(transaction: Transaction, lane: Lane, snapshot: Snapshot, limits: Limits) -> Entered:
    """Put one entry through plan, gate and record in the caller's transaction.

    Raises:
        StopTrading: an approved entry did not fit into the record.
    """
    as_of = snapshot.as_of
    session = SessionRepository(transaction).get(as_of.astimezone(NEW_YORK).date())
    if session is None:
        return Entered(None, "session")
    window = trading_window(session, limits.hours)
    try:
        asked = lane.ask(snapshot, window, limits)
    except Refused as refused:
        return Entered(None, refused.rule)
    book = BookQuery(transaction).read_last(BookKey(lane.strategy, snapshot.account, session.day), as_of)
    signal = _signal(lane, asked, session, 1 + len(book.spent_levels))
    proposal = Proposal(signal, asked.plan, asked.told, session)
    decision = judge(proposal, book, limits, as_of)
    refused_by = decision.refused_by.rule if isinstance(decision, RiskRefusal) else None
    signal_id = SignalRepository(transaction).add(signal, refused_by)
    if signal_id is None:
        return Entered(None, "signal")
    RiskDecisionRepository(transaction).add(decision, signal_id)
    if isinstance(decision, RiskRefusal):
        return Entered(None, refused_by)
    terms = EntryTerms(book.next_sequence, CONFIG, asked.rules, asked.floor_credit, window.entry_until)
    intent, trade = entry_intent(decision, proposal, terms)
    if not (TradeRepository(transaction).add(trade) and IntentRepository(transaction).add(intent)):
        raise StopTrading(f"{trade.id} was approved beside a live trade or under a reference that is used")
    return Entered(trade.id)


def _signal(lane: Lane, asked: Asked, session: Session, ordinal: int) -> Signal:
    told = asked.told
    return Signal(
        strategy=lane.strategy,
        account=told.account,
        symbol=asked.plan.underlying,
        session=session.day,
        as_of=told.as_of,
        direction=lane.direction,
        level=float(ordinal),
        price=float(told.spot or 0.0),
        trend=0,
        reason=f"load: {', '.join(leg.described for leg in asked.plan.legs)}",
    )


def lane_names(count: int) -> Iterator[str]:
    """Strategy names of the lanes."""
    return (f"chaos{number:03d}" for number in range(count))
