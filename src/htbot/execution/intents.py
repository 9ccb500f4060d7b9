"""How an approval becomes an entry, and how an open trade becomes its exit.

Both orders trade the same combination (spec 02 section 3): the entry buys it at a negative limit, which receives the
credit; the exit sells it at a negative limit, which pays the debit. The exit's bound is the strike width: a vertical is
never worth more (RULINGS 10). A stock or fund is a combination of one leg: its entry is a limit beyond the touch, its
exit an order at the market (decision 0024). So is a bought option, whose orders walk as those of spreads do: its entry
never pays more than the ask of its decision, its exit never asks for less than a tick (decision 0039).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from htbot.domain.decisions import Approved
from htbot.domain.errors import StopTrading
from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.orders import Action, ExitReason, OrderIntent, PriceStyle, Purpose, order_reference
from htbot.domain.sessions import Session
from htbot.domain.signals import Leg, PlainPlan, Plan, Signal, SinglePlan, SpreadPlan
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.execution import ticks
from htbot.execution.ladder import DEFAULT_PACE, LadderPace, on_option_grid
from htbot.portfolio.marks import CENT, Marks

ENTRY_GRACE_S = 10.0

EXIT_STYLES: dict[ExitReason, PriceStyle] = {
    ExitReason.PROFIT_TARGET: PriceStyle.LADDER,
    ExitReason.TIME: PriceStyle.TIME,
    ExitReason.STOP_LOSS: PriceStyle.URGENT,
    ExitReason.MARKET_CLOSE: PriceStyle.URGENT,
    ExitReason.MANUAL: PriceStyle.URGENT,
    ExitReason.BREAKER: PriceStyle.URGENT,
    ExitReason.EXPIRY: PriceStyle.URGENT,
    ExitReason.SIGNAL: PriceStyle.TIME,
    ExitReason.OTHER: PriceStyle.TIME,
}


_PROTECTIVE_REASONS: dict[PriceStyle, ExitReason] = {
    PriceStyle.STOP: ExitReason.STOP_LOSS,
    PriceStyle.TARGET: ExitReason.PROFIT_TARGET,
}


@dataclass(frozen=True, slots=True)
class ProtectivePlace:
    """Where a protective order stands: its running number among the exits, its group at the broker, the most of it."""

    sequence: int
    group: str
    quantity: int


class Proposed(Protocol):
    """What risk approved: `htbot.risk.proposal.Proposal` and anything of its shape."""

    @property
    def signal(self) -> Signal:
        """Why to enter."""
        ...

    @property
    def plan(self) -> Plan:
        """What to enter."""
        ...

    @property
    def session(self) -> Session:
        """When."""
        ...


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """What an entry is fixed with besides its proposal.

    `floor_credit` is the least credit per unit at which a vertical may fill (`Limits.floor_credit`), None for what is
    none; `entry_ends` the end of the entry window, `sequence` the number of this entry in its session, from 1.
    """

    sequence: int
    config_hash: str
    rules: ExitRules
    floor_credit: Decimal | None
    entry_ends: datetime
    pace: LadderPace = DEFAULT_PACE


def entry_intent(decision: Approved, proposal: Proposed, terms: EntryTerms) -> tuple[OrderIntent, Trade]:
    """The order of an approved entry and the trade that it opens.

    The order is good for its ladder's budget and 10 s more, and never beyond the entry window (RULINGS 8). So is that
    of a plain instrument, which has no ladder: what has not filled by then was not to be had.

    Raises:
        StopTrading: the entry window is over, or its limits are no prices of this instrument.
    """
    signal, plan = proposal.signal, proposal.plan
    created_at = decision.as_of
    good_till = min(created_at + timedelta(seconds=terms.pace.budget_s + ENTRY_GRACE_S), terms.entry_ends)
    if good_till <= created_at:
        raise StopTrading(f"entry at {created_at.isoformat()} is outside the window that ends {good_till.isoformat()}")
    limit, worst_limit, style = _limits(plan, terms)
    ref = order_reference(signal.strategy, signal.account, signal.session, Purpose.ENTRY, terms.sequence)
    trade_id = f"{signal.strategy}-{signal.account}-{signal.session:%Y%m%d}-{terms.sequence}"
    intent = OrderIntent(
        ref=ref,
        trade_id=trade_id,
        strategy=signal.strategy,
        account=signal.account,
        session=signal.session,
        purpose=Purpose.ENTRY,
        action=Action.BUY,
        symbol=signal.symbol,
        quantity=plan.quantity,
        legs=plan.legs,
        limit=limit,
        worst_limit=worst_limit,
        tick=plan.tick,
        style=style,
        created_at=created_at,
        good_till=good_till,
        decision_id=OrderIntent.require_approval(decision),
    )
    trade = Trade(
        id=trade_id,
        strategy=signal.strategy,
        account=signal.account,
        symbol=signal.symbol,
        session=signal.session,
        direction=signal.direction,
        state=TradeState.OPENING,
        legs=plan.legs,
        quantity=plan.quantity,
        width=plan.width if isinstance(plan, SpreadPlan) else None,
        rules=terms.rules,
        config_hash=terms.config_hash,
        opened_at=created_at,
    )
    return intent, trade


def _limits(plan: Plan, terms: EntryTerms) -> tuple[Decimal, Decimal, PriceStyle]:
    """First and worst limit of an entry, and how it gets from one to the other."""
    if isinstance(plan, PlainPlan):
        return _plain_limits(plan)
    return _single_limits(plan) if isinstance(plan, SinglePlan) else _spread_limits(plan, terms)


def _single_limits(plan: SinglePlan) -> tuple[Decimal, Decimal, PriceStyle]:
    """From the mid up to the ask of the decision."""
    if not 0 < plan.mid <= plan.natural:
        raise StopTrading(f"a limit from {plan.mid} to {plan.natural} is none for {plan.leg.described}")
    return plan.mid, plan.natural, PriceStyle.LADDER


def _spread_limits(plan: SpreadPlan, terms: EntryTerms) -> tuple[Decimal, Decimal, PriceStyle]:
    """First and worst limit of a vertical's entry: from the mid credit down to the floor."""
    floor = ticks.up(terms.floor_credit or Decimal(0), plan.tick)
    if not 0 < floor < plan.width:
        raise StopTrading(f"floor credit {floor} is not between 0 and the width {plan.width}")
    return -max(ticks.up(plan.mid_credit, plan.tick), floor), -floor, PriceStyle.LADDER


def _plain_limits(plan: PlainPlan) -> tuple[Decimal, Decimal, PriceStyle]:
    """The one limit of a plain entry: it trades at the touch, and never beyond."""
    if plan.worst <= 0 or (plan.worst - plan.natural) * plan.leg.ratio < 0:
        raise StopTrading(f"a limit of {plan.worst} does not reach the touch of {plan.underlying} at {plan.natural}")
    return plan.leg.ratio * plan.worst, plan.leg.ratio * plan.worst, PriceStyle.MARKETABLE


def exit_intent(
    trade: Trade, reason: ExitReason, marks: Marks | None, as_of: datetime, quantity: int, sequence: int = 1
) -> OrderIntent:
    """The order that closes `quantity` units of a trade, never more than it holds.

    Args:
        trade: what is closed.
        reason: why; it decides how the limit walks (RULINGS 11).
        marks: the legs' present prices, None or incomplete when they are not known.
        as_of: decision time.
        quantity: units to close, from `closable_quantity`.
        sequence: number of the exit in the session, over all trades of the strategy and account, from 1.

    Raises:
        StopTrading: the quantity is not 1 to the trade's own.
    """
    if not 1 <= quantity <= trade.quantity:
        raise StopTrading(f"exit of {quantity} of trade {trade.id}, which holds {trade.quantity}")
    limit, worst_limit, tick, style = _closing_terms(trade, reason, marks)
    return OrderIntent(
        ref=order_reference(trade.strategy, trade.account, trade.session, Purpose.EXIT, sequence),
        trade_id=trade.id,
        strategy=trade.strategy,
        account=trade.account,
        session=trade.session,
        purpose=Purpose.EXIT,
        action=Action.SELL,
        symbol=trade.symbol,
        quantity=quantity,
        legs=trade.legs,
        limit=limit,
        worst_limit=worst_limit,
        tick=tick,
        style=style,
        created_at=as_of,
        exit_reason=reason,
    )


def _closing_terms(
    trade: Trade, reason: ExitReason, marks: Marks | None
) -> tuple[Decimal, Decimal, Decimal, PriceStyle]:
    """First limit, bound, tick and style of an exit."""
    if trade.plain is not None:
        seen = _seen_price(trade, marks)
        return seen, seen, CENT, PriceStyle.MARKET
    tick = UNDERLYINGS[trade.symbol].combo_tick if trade.symbol in UNDERLYINGS else CENT
    style = EXIT_STYLES[reason]
    if trade.single is not None:
        limit = on_option_grid(trade.symbol, -_first_cost(trade, marks, style, tick, -tick))
        return limit, tick, tick, style
    worst = ticks.down(trade.spread_width, tick)
    return -_first_cost(trade, marks, style, tick, worst), -worst, tick, style


def _seen_price(trade: Trade, marks: Marks | None) -> Decimal:
    """What an order at the market was decided on: the touch, or the price of the entry while there is none."""
    if marks is not None and marks.natural_cost is not None:
        return -marks.natural_cost
    if trade.credit is None:
        raise StopTrading(f"trade {trade.id} has no fill that could be closed")
    return -trade.credit


def protective_intent(
    trade: Trade, style: PriceStyle, price: Decimal, as_of: datetime, place: ProtectivePlace
) -> OrderIntent:
    """A stop or target that stands at the broker for all that a plain trade holds, or may come to hold.

    Raises:
        StopTrading: the trade is no plain one, or the style no protective one.
    """
    leg = trade.plain
    if leg is None or style not in _PROTECTIVE_REASONS:
        raise StopTrading(f"trade {trade.id} cannot have a protective order of style {style}")
    return OrderIntent(
        ref=order_reference(trade.strategy, trade.account, trade.session, Purpose.EXIT, place.sequence),
        trade_id=trade.id,
        strategy=trade.strategy,
        account=trade.account,
        session=trade.session,
        purpose=Purpose.EXIT,
        action=Action.SELL,
        symbol=trade.symbol,
        quantity=place.quantity,
        legs=trade.legs,
        limit=leg.ratio * price,
        worst_limit=leg.ratio * price,
        tick=CENT,
        style=style,
        created_at=as_of,
        exit_reason=_PROTECTIVE_REASONS[style],
        group=place.group,
    )


def closable_quantity(legs: Sequence[Leg], ours: Mapping[int, int], broker: Mapping[int, int] | None = None) -> int:
    """Whole units that can be closed without opening anything (RULINGS 10).

    Args:
        legs: the spread or the one leg, `ratio` +1 bought and -1 sold.
        ours: our net quantity by contract id.
        broker: the broker's net quantity by contract id once the settle time is over; None while it is not known.

    Returns:
        The smallest number of units that both books hold of every leg, 0 when there is nothing to close.
    """
    books = (ours,) if broker is None else (ours, broker)
    return min((_units(leg, book) for leg in legs for book in books), default=0)


def _units(leg: Leg, book: Mapping[int, int]) -> int:
    held = book.get(leg.con_id, 0)
    if held * leg.ratio <= 0:
        return 0
    return abs(held) // abs(leg.ratio)


def _first_cost(trade: Trade, marks: Marks | None, style: PriceStyle, tick: Decimal, worst: Decimal) -> Decimal:
    """What the first limit pays: mid or natural + 1 tick; without prices what the stop had accepted, or the worst.

    Where there is no mid, but what closing costs at once is known, that.
    """
    stop_usd, most = trade.rules.stop_loss_usd, None if marks is None else marks.cost_at_most
    if style is PriceStyle.URGENT and most is not None:
        cost = ticks.up(most, tick) + tick
    elif marks is not None and marks.natural_cost is not None:
        natural = ticks.up(marks.natural_cost, tick)
        cost = natural if marks.mid_cost is None else min(ticks.down(marks.mid_cost, tick), natural)
    elif style is not PriceStyle.URGENT and trade.credit is not None and stop_usd is not None:
        cost = ticks.up(trade.credit + stop_usd / trade.units, tick)
    else:
        cost = worst
    return ticks.bounded_cost(cost, tick, worst)
