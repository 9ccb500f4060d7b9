"""The loop of a strategy on a plain instrument: decide, gate, fill, book; one bar a turn (dialect of `domain.numeric`).

The event loop of a backtest runs this source, and so does the compiled backtest. At each closed bar the strategy is
shown the bar and its position; then, with a position, the exits are looked at, and without one its entry passes the
limits. Under the rule `close` orders fill at the close of the bar that decided, under `next_open` at the open of the
next bar of the tape, under `book` at the touch around the close, and stops and targets inside the bar (`bar_path`). A
position that may not stay over night leaves at the last bar of its session.
"""

from __future__ import annotations

import math

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, Numeric, known
from htbot.domain.sessions import OPEN_MINUTE
from htbot.engine.bar_account import BIG, BarAccount, BarFees, BarLimits, Refusal, to_micro
from htbot.engine.bar_parts import Deal, ExitPlan, Fill, Happened, Leave, Sizing
from htbot.engine.bar_path import first_hit, touch_u
from htbot.strategies.bar_strategy import NONE, SHORT, Advice, BarStrategy, Holding

REFUSALS = len(Refusal)
BOOK = int(Fill.BOOK)


class BarLoop(Numeric):
    """One strategy, one instrument, one account."""

    strategy: BarStrategy
    holding: Holding
    account: BarAccount
    limits: BarLimits
    exits: ExitPlan
    sizing: Sizing
    fees: BarFees
    deal: Deal
    refusals: list[float]
    fill: int
    point_value: int
    allow_short: bool
    entry_from: int
    entry_until: int
    cooldown_s: int
    first_session: int
    decided_s: int
    entry_u: int
    opened_s: int
    filled_s: int
    opened_session: int
    entry_fees_u: int
    best_u: int
    worst_u: int
    level: int
    units: int
    watchful: bool
    gain_u: int
    wanted: int
    number: int
    left_s: int
    begun: bool
    ordered: int
    leaving: int
    stop: float
    target: float
    own_session: int
    own_entries: int
    own_entries_a_day: int

    def __init__(self, strategy: BarStrategy, account: BarAccount, fees: BarFees) -> None:
        self.strategy = strategy
        self.holding = Holding()
        self.account = account
        self.limits = BarLimits()
        self.exits = ExitPlan()
        self.sizing = Sizing(1, False)
        self.fees = fees
        self.deal = Deal()
        self.refusals = [0.0] * REFUSALS
        self.fill = Fill.CLOSE
        self.point_value = 1
        self.allow_short = True
        self.entry_from = 0
        self.entry_until = 24 * 60
        self.cooldown_s = self.first_session = self.decided_s = 0
        self.entry_u = self.opened_s = self.opened_session = self.entry_fees_u = 0
        self.best_u = self.worst_u = self.gain_u = self.wanted = self.level = self.number = 0
        self.units = 0
        self.watchful = self.begun = False
        self.filled_s = 0
        self.left_s = -(1 << 60)
        self.ordered = 0
        self.leaving = Leave.STAY
        self.stop = self.target = UNKNOWN
        self.own_session = self.own_entries = 0
        self.own_entries_a_day = BIG

    def at_open(self, bar: TapeBar) -> int:
        """Fill at a bar's open what was ordered before it; the next `step` runs the rest of that bar.

        For loops that share an account: the others hear of it in time.
        """
        if bar.session != self.account.session:
            self.account.begin_day(bar.session)
        self.begun = True
        return self._fill_at_open(bar) if self.ordered != 0 or self.leaving != 0 else Happened.NOTHING

    def step(self, bar: TapeBar) -> int:
        """Run one bar; CLOSED says that `deal` holds a position, or a part of one, that has just been closed.

        Where that was at the bar's open, `begun` is true and the rest of the bar is to be run by another call.
        """
        if bar.session != self.account.session:
            self.account.begin_day(bar.session)
        happened = 0
        if self.begun:
            self.begun = False
        elif self.ordered != 0 or self.leaving != 0:
            happened = self._fill_at_open(bar)
            if happened == Happened.CLOSED:
                self.begun = True
                return happened
        held = self.holding
        if held.side == NONE:
            advice = self.strategy.on_bar(bar, held)
            if advice.side != NONE and self.admits(bar, advice):
                self._order(bar, advice)
        else:
            ended = self._hold(bar)
            if ended != 0:
                return ended
        return happened

    def _hold(self, bar: TapeBar) -> int:
        """One bar of an open position: what happens inside it, its mark, the strategy's word, the reasons to leave."""
        held = self.holding
        held.bars += 1
        happened = 0
        if self.fill == BOOK:
            happened = self._watch(bar)
        gain_u = self.units * (math.floor(bar.close * 1e6 + 0.5) - self.entry_u)
        self.gain_u = gain_u
        if gain_u > self.best_u:
            self.best_u = gain_u
        elif gain_u < self.worst_u:
            self.worst_u = gain_u
        advice = self.strategy.on_bar(bar, held)
        if happened != 0:
            return happened
        plan = self.exits
        if gain_u >= plan.target_u or gain_u <= -plan.stop_u or advice.leave or self.watchful:
            return self._depart(bar, self._reason(bar, advice))
        if bar.ends_session or bar.end_minute >= plan.exit_minute:
            return self._depart(bar, self._time_reason(bar))
        return 0

    # --- entries ----------------------------------------------------------------------------------------------------

    def admits(self, bar: TapeBar, advice: Advice) -> bool:
        """Whether an entry is looked at now at all."""
        if bar.session < self.first_session or (bar.ends_session and not self.exits.overnight):
            return False
        if advice.side == SHORT and not self.allow_short:
            return False
        at = bar.end_minute
        whole_session = bar.minute <= OPEN_MINUTE and at >= bar.close_minute
        if not whole_session and (at < self.entry_from or at >= self.entry_until):
            self.refusals[Refusal.ENTRY_WINDOW] += 1.0
            return False
        if not self.exits.overnight and (at >= bar.close_minute or at >= self.exits.exit_minute):
            return False
        return end_s(bar) - self.left_s >= self.cooldown_s

    def _order(self, bar: TapeBar, advice: Advice) -> None:
        price_u = to_micro(bar.close)
        account = self.account
        units = self.sizing.units(advice.confidence, price_u, self.point_value, account.equity_u)
        refusal = account.refusal(self.limits, units, units * price_u * self.point_value)
        if self.own_session != bar.session:
            self.own_session = bar.session
            self.own_entries = 0
        if refusal == 0 and self.own_entries >= self.own_entries_a_day:
            refusal = int(Refusal.ENTRIES_PER_DAY)
        if refusal != 0:
            self.refusals[refusal] += 1.0
            return
        account.entries += 1
        self.own_entries += 1
        self.stop = advice.stop
        self.target = advice.target
        self.decided_s = end_s(bar)
        if self.fill == Fill.NEXT_OPEN:
            self.ordered = advice.side * units
            return
        if self.fill == BOOK:
            price_u = touch_u(price_u, advice.side)
        self._open(bar, advice.side * units, price_u)

    def _open(self, bar: TapeBar, signed: int, price_u: int) -> None:
        held = self.holding
        held.side = 1 if signed > 0 else -1
        held.quantity = abs(signed)
        held.entered = held.quantity
        held.price = price_u / 1e6
        held.stop = self.stop
        held.target = self.target
        held.bars = 0
        self.units = signed * self.point_value
        self.watchful = known(self.stop) or known(self.target) or self.exits.levels or self.exits.hold_days != BIG
        self.entry_u = price_u
        self.opened_s = self.filled_s = self.decided_s
        self.opened_session = bar.session
        self.best_u = 0
        self.worst_u = 0
        self.level = 0
        self.number += 1
        value_u = held.quantity * price_u * self.point_value
        self.entry_fees_u = self.fees.of(held.quantity, value_u)
        self.account.book(-self.entry_fees_u)
        self.account.held_u += value_u
        self.account.positions += 1

    def _fill_at_open(self, bar: TapeBar) -> int:
        price_u = to_micro(bar.open)
        if self.ordered != 0:
            signed = self.ordered
            self.ordered = 0
            self._open(bar, signed, price_u)
            self.filled_s = bar.start_s
            return Happened.OPENED
        reason = self.leaving
        self.leaving = 0
        return self._close(reason, price_u, bar.start_s)

    # --- exits ------------------------------------------------------------------------------------------------------

    def _reason(self, bar: TapeBar, advice: Advice) -> int:
        """The first reason to close, in the order money, price, strategy, time, level; 0 to stay."""
        plan = self.exits
        if self.gain_u >= plan.target_u:
            return Leave.PROFIT_TARGET
        if self.gain_u <= -plan.stop_u:
            return Leave.STOP_LOSS
        reason = self._price_reason(bar.close)
        if reason == 0 and advice.leave:
            reason = Leave.SIGNAL
        if reason == 0:
            reason = self._time_reason(bar)
        if reason == 0 and plan.levels and self._wanted() > 0:
            reason = Leave.PROFIT_LEVEL
        return reason

    def _time_reason(self, bar: TapeBar) -> int:
        plan = self.exits
        if plan.exit_minute != BIG and bar.end_minute >= min(plan.exit_minute, bar.close_minute):
            return Leave.TIME
        if bar.ends_session and not plan.overnight:
            return Leave.MARKET_CLOSE
        if bar.session - self.opened_session >= plan.hold_days:
            return Leave.TIME
        return 0

    def _price_reason(self, close: float) -> int:
        """The stop or target price of the entry; an UNKNOWN one compares false."""
        held = self.holding
        if held.side > 0:
            if close <= held.stop:
                return Leave.STOP_LOSS
            if close >= held.target:
                return Leave.PROFIT_TARGET
        else:
            if close >= held.stop:
                return Leave.STOP_LOSS
            if close <= held.target:
                return Leave.PROFIT_TARGET
        return 0

    def _wanted(self) -> int:
        """Units that the profit levels reached since the last sale ask for; each level serves once."""
        held, spent = self.holding, self.level
        reached = self.exits.reached(spent, self.gain_u, self.entry_u * held.entered * self.point_value)
        if reached == spent:
            return 0
        self.level = reached
        self.wanted = self.exits.part(spent, reached, held.entered, held.quantity)
        return self.wanted

    def _depart(self, bar: TapeBar, reason: int) -> int:
        """Close now, or at the next open; what cannot wait for it leaves at this close. Without a reason it stays."""
        if reason == 0:
            return 0
        if self.fill == Fill.NEXT_OPEN and (self.exits.overnight or not bar.ends_session):
            self.leaving = reason
            return 0
        price_u = to_micro(bar.close)
        if self.fill == BOOK:
            price_u = touch_u(price_u, -self.holding.side)
        return self._close(reason, price_u, end_s(bar))

    def _watch(self, bar: TapeBar) -> int:
        """A stop or target inside the bar, as the desk's guard sees it; dollars become the price they stand for.

        That is the price at which all that was entered comes to them: a sale at a profit level does not move it.
        """
        held = self.holding
        unit = held.entered * self.point_value
        room_u = self.exits.stop_u // unit
        gain_u = -(-self.exits.target_u // unit)
        stop_u = self.entry_u - held.side * room_u
        target_u = self.entry_u + held.side * gain_u
        if known(held.stop):
            stop_u = held.side * max(held.side * stop_u, held.side * to_micro(held.stop))
        if known(held.target):
            target_u = held.side * min(held.side * target_u, held.side * to_micro(held.target))
        hit = first_hit(bar, held.side, stop_u, target_u)
        if hit.reason == 0:
            return 0
        gain_u = self.units * (hit.price_u - self.entry_u)
        self.best_u = max(self.best_u, gain_u)
        self.worst_u = min(self.worst_u, gain_u)
        return self._close(hit.reason, touch_u(hit.price_u, -held.side), end_s(bar))

    def _close(self, reason: int, price_u: int, at_s: int) -> int:
        held = self.holding
        quantity = self.wanted if reason == Leave.PROFIT_LEVEL else held.quantity
        fees_u = self.fees.of(quantity, quantity * price_u * self.point_value)
        deal = self.deal
        deal.number = self.number
        deal.side = held.side
        deal.quantity = quantity
        deal.opened_s = self.opened_s
        deal.filled_s = self.filled_s
        deal.closed_s = at_s
        deal.entry_u = self.entry_u
        deal.exit_u = price_u
        deal.gross_u = held.side * quantity * (price_u - self.entry_u) * self.point_value
        deal.fees_u = self.entry_fees_u + fees_u
        deal.entry_fees_u = self.entry_fees_u
        deal.reason = reason
        deal.best_u = self.best_u
        deal.worst_u = self.worst_u
        deal.bars = held.bars
        self.account.book(deal.gross_u - fees_u)
        self.account.held_u -= quantity * self.entry_u * self.point_value
        self.entry_fees_u = 0
        held.quantity -= quantity
        if held.quantity == 0:
            held.side = NONE
            held.price = UNKNOWN
            self.left_s = at_s
            self.account.positions -= 1
        return Happened.CLOSED


def end_s(bar: TapeBar) -> int:
    """The instant at which a bar has closed, in seconds since the epoch."""
    return bar.start_s + (bar.end_minute - bar.minute) * 60
