"""How an approval becomes an entry, and how an open trade becomes its exit.

Both orders trade the same combination (spec 02 section 3): the entry buys it at a negative limit, which receives the
credit; the exit sells it at a negative limit, which pays the debit. The exit's bound is the strike width: a vertical is
never worth more (RULINGS 10).
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
from htbot.domain.signals import Signal, SpreadLeg, SpreadPlan
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.execution import ticks
from htbot.execution.ladder import DEFAULT_PACE, LadderPace
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
    ExitReason.OTHER: PriceStyle.TIME,
}


class Proposed(Protocol):
    """What risk approved: `htbot.risk.proposal.Proposal` and anything of its shape."""

    @property
    def signal(self) -> Signal:
        """Why to enter."""
        ...

    @property
    def plan(self) -> SpreadPlan:
        """What to enter."""
        ...

    @property
    def session(self) -> Session:
        """When."""
        ...


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """What an entry is fixed with besides its proposal.

    `floor_credit` is the least credit per unit at which it may fill (`Limits.floor_credit`), `entry_ends` the end of
    the entry window, `sequence` the number of this entry in its session, from 1.
    """

    sequence: int
    config_hash: str
    rules: ExitRules
    floor_credit: Decimal
    entry_ends: datetime
    pace: LadderPace = DEFAULT_PACE


def entry_intent(decision: Approved, proposal: Proposed, terms: EntryTerms) -> tuple[OrderIntent, Trade]:
    """The order of an approved entry and the trade that it opens.

    The order is good for its ladder's budget and 10 s more, and never beyond the entry window (RULINGS 8).

    Raises:
        StopTrading: the entry window is over, or the floor is not a price of this spread.
    """
    signal, plan = proposal.signal, proposal.plan
    created_at = decision.as_of
    good_till = min(created_at + timedelta(seconds=terms.pace.budget_s + ENTRY_GRACE_S), terms.entry_ends)
    if good_till <= created_at:
        raise StopTrading(f"entry at {created_at.isoformat()} is outside the window that ends {good_till.isoformat()}")
    floor = ticks.up(terms.floor_credit, plan.tick)
    if not 0 < floor < plan.width:
        raise StopTrading(f"floor credit {floor} is not between 0 and the width {plan.width}")
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
        limit=-max(ticks.up(plan.mid_credit, plan.tick), floor),
        worst_limit=-floor,
        tick=plan.tick,
        style=PriceStyle.LADDER,
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
        width=plan.width,
        rules=terms.rules,
        config_hash=terms.config_hash,
        opened_at=created_at,
    )
    return intent, trade


def exit_intent(
    trade: Trade, reason: ExitReason, marks: Marks | None, as_of: datetime, quantity: int, sequence: int = 1
) -> OrderIntent:
    """The order that closes `quantity` spreads of a trade, never more than it holds.

    Args:
        trade: what is closed.
        reason: why; it decides how the limit walks (RULINGS 11).
        marks: the legs' present prices, None or incomplete when they are not known.
        as_of: decision time.
        quantity: spreads to close, from `closable_quantity`.
        sequence: number of the exit in the session, over all trades of the strategy and account, from 1.

    Raises:
        StopTrading: the quantity is not 1 to the trade's own.
    """
    if not 1 <= quantity <= trade.quantity:
        raise StopTrading(f"exit of {quantity} of trade {trade.id}, which holds {trade.quantity}")
    tick = UNDERLYINGS[trade.symbol].combo_tick if trade.symbol in UNDERLYINGS else CENT
    style = EXIT_STYLES[reason]
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
        limit=-_first_cost(trade, marks, style, tick),
        worst_limit=-ticks.down(trade.width, tick),
        tick=tick,
        style=style,
        created_at=as_of,
        exit_reason=reason,
    )


def closable_quantity(
    legs: Sequence[SpreadLeg], ours: Mapping[int, int], broker: Mapping[int, int] | None = None
) -> int:
    """Whole spreads that can be closed without opening anything (RULINGS 10).

    Args:
        legs: the spread, `ratio` +1 bought and -1 sold.
        ours: our net quantity by contract id.
        broker: the broker's net quantity by contract id once the settle time is over; None while it is not known.

    Returns:
        The smallest number of units that both books hold of every leg, 0 when there is nothing to close.
    """
    books = (ours,) if broker is None else (ours, broker)
    return min((_units(leg, book) for leg in legs for book in books), default=0)


def _units(leg: SpreadLeg, book: Mapping[int, int]) -> int:
    held = book.get(leg.con_id, 0)
    if held * leg.ratio <= 0:
        return 0
    return abs(held) // abs(leg.ratio)


def _first_cost(trade: Trade, marks: Marks | None, style: PriceStyle, tick: Decimal) -> Decimal:
    """What the first limit pays: mid or natural + 1 tick; without prices what the stop had accepted, or the width."""
    worst = ticks.down(trade.width, tick)
    if marks is not None and marks.mid_cost is not None and marks.natural_cost is not None:
        natural = ticks.up(marks.natural_cost, tick)
        cost = natural + tick if style is PriceStyle.URGENT else min(ticks.down(marks.mid_cost, tick), natural)
    elif style is not PriceStyle.URGENT and trade.credit is not None:
        per_unit = trade.rules.stop_loss_usd / (trade.legs[0].multiplier * trade.quantity)
        cost = ticks.up(trade.credit + per_unit, tick)
    else:
        cost = worst
    return min(max(cost, tick), worst)
