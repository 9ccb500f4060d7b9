"""A strategy on a plain instrument that trades: it is shown recorded bars, and what it holds is what was filled.

The rule `recorded` beside `book`, `close` and `next_open`: where those make up fills, this one is given them. The
state is a fold of recorded bars and of the recorded fates of its entries, so that every process comes to the same one,
after every restart and every night. Stops, targets and times of the day are the desk's; the strategy is asked for
entries, for exits of its own, and for those of what it has held for its number of days. Profit levels are looked at
here, at the close of each bar, as the loop of a backtest does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from htbot.domain.bars import TapeBar
from htbot.domain.fills import Fill
from htbot.domain.numeric import UNKNOWN, known
from htbot.domain.orders import ExitReason
from htbot.domain.trades import Trade, TradeState
from htbot.engine.bar_account import MICRO, to_micro
from htbot.engine.bar_loop import BarLoop, end_s
from htbot.engine.bar_setup import loop_of
from htbot.engine.observation import CASH_USD, NEVER, SIDE_WORDS, Fired, LevelSale, position_of
from htbot.strategies.bar_strategy import NONE, Advice, BarStrategy


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one entry. Seconds since the epoch; `filled_s` None: it never was, `closed_s` None: it is held.

    `session` is the ordinal of its day. Prices are None where there are none: what is no number is not equal to itself,
    and the same fates must be equal. `sold` are the units of each execution that has closed some of it.
    """

    session: int
    side: int
    quantity: int
    price: float | None
    filled_s: float | None
    closed_s: float | None
    stop: float | None = None
    target: float | None = None
    sold: tuple[tuple[float, int], ...] = ()

    def left_at(self, at_s: float) -> int:
        """Units that were left at an instant."""
        return self.quantity - sum(units for sold_s, units in self.sold if sold_s <= at_s)

    def held_at(self, at_s: float) -> bool:
        """Whether it was a position at an instant."""
        filled = self.filled_s is not None and self.filled_s <= at_s
        return filled and (self.closed_s is None or self.closed_s > at_s)


_LIVE = frozenset({TradeState.OPENING, TradeState.OPEN, TradeState.CLOSING})


def fate_of(trade: Trade, entered: Sequence[Fill], exited: Sequence[Fill]) -> Fate:
    """What became of an entry, from its trade and the fills of its entry and of its exits."""
    side, rules = trade.legs[0].ratio, trade.rules
    filled_at = min((fill.executed_at for fill in entered), default=None)
    return Fate(
        session=trade.session.toordinal(),
        side=side,
        quantity=trade.quantity,
        price=None if trade.credit is None else float(-trade.credit * side),
        filled_s=None if filled_at is None else filled_at.timestamp(),
        closed_s=None if trade.state in _LIVE or trade.closed_at is None else trade.closed_at.timestamp(),
        stop=None if rules.stop_price is None else float(rules.stop_price),
        target=None if rules.target_price is None else float(rules.target_price),
        sold=tuple(sorted((fill.executed_at.timestamp(), fill.quantity) for fill in exited)),
    )


class RecordedLoop:
    """One strategy, shown closed bars in order; it enters only at bars that end after `since_s` (epoch seconds)."""

    def __init__(self, strategy: BarStrategy, since_s: float, fates: Sequence[Fate]) -> None:
        self.strategy = strategy
        self._since_s = since_s
        self._fates = sorted(fates, key=lambda fate: fate.filled_s or 0.0)
        self._held: Fate | None = None
        self._said = "flat"
        self.loop: BarLoop = loop_of(strategy, CASH_USD)
        self.loop.first_session = NEVER

    def show(self, bar: TapeBar) -> Fired | None:
        """Show one bar; what the strategy wants after it, None for nothing."""
        at_s = end_s(bar)
        if at_s > self._since_s:
            self.loop.first_session = 0
        self._take_over(at_s)
        holding = self.loop.holding
        if holding.side != NONE:
            holding.bars += 1
            advice = self.strategy.on_bar(bar, holding)
            self._said = f"holds {SIDE_WORDS[holding.side]} {holding.quantity} at {holding.price:.10g}"
            return self._leave(bar, advice) or self._level(bar)
        advice = self.strategy.on_bar(bar, holding)
        if advice.side == NONE:
            self._said = "flat"
            return None
        if not self.loop.admits(bar, advice):
            self._said = f"flat; it asked to go {SIDE_WORDS[advice.side]}, when nothing is entered"
            return None
        self._said = f"flat; it asked to go {SIDE_WORDS[advice.side]}"
        levels = {name: value for name, value in (("stop", advice.stop), ("target", advice.target)) if known(value)}
        told = [*(f"{name} {value:.10g}" for name, value in levels.items()), f"confidence {advice.confidence:.4g}"]
        reason = f"go {SIDE_WORDS[advice.side]} at {bar.close:.10g}: {', '.join(told)}"
        return Fired("enter", advice.side, bar, bar.close, reason, levels, {"confidence": advice.confidence})

    def _take_over(self, at_s: float) -> None:
        """Make the holding that of an instant."""
        fate = next((fate for fate in self._fates if fate.held_at(at_s)), None)
        closed = (fate.closed_s for fate in self._fates if fate.filled_s is not None and fate.closed_s is not None)
        ended = [closed_s for closed_s in closed if closed_s <= at_s]
        if ended:
            self.loop.left_s = int(max(ended))
        holding = self.loop.holding
        if fate is self._held:
            holding.quantity = 0 if fate is None else fate.left_at(at_s)
            return
        self._held, self.loop.level = fate, 0
        holding.bars = 0
        holding.side = NONE if fate is None else fate.side
        holding.entered = 0 if fate is None else fate.quantity
        holding.quantity = 0 if fate is None else fate.left_at(at_s)
        holding.price = UNKNOWN if fate is None or fate.price is None else fate.price
        holding.stop = UNKNOWN if fate is None or fate.stop is None else fate.stop
        holding.target = UNKNOWN if fate is None or fate.target is None else fate.target

    def _leave(self, bar: TapeBar, advice: Advice) -> Fired | None:
        """Its own signal, or the end of the days for which it holds anything, by the first bar that closes then."""
        held, days = self.loop.holding, 0 if self._held is None else bar.session - self._held.session
        if advice.leave:
            why, exit_reason = "its own signal", ExitReason.SIGNAL
        elif days >= self.loop.exits.hold_days:
            why, exit_reason = f"held for {days} days", ExitReason.TIME
        else:
            return None
        reason = f"leave {SIDE_WORDS[held.side]} {held.quantity}, entered at {held.price:.10g}: {why}"
        levels = {"entry": held.price} if known(held.price) else {}
        return Fired("leave", -held.side, bar, bar.close, reason, levels, {"quantity": held.quantity}, exit_reason)

    def _level(self, bar: TapeBar) -> Fired | None:
        """The part that is sold for the profit levels that this close has come to for the first time."""
        held, spent, plan = self.loop.holding, self.loop.level, self.loop.exits
        if not plan.levels or not known(held.price):
            return None
        entry_u = to_micro(held.price)
        gain_u = held.side * (to_micro(bar.close) - entry_u)
        reached = self.loop.level = plan.reached(spent, gain_u, entry_u)
        sale = LevelSale(spent, reached, plan)
        units = sale.units(0, held.entered, held.quantity)
        if not units:
            return None
        told = f"{SIDE_WORDS[held.side]} {units} of {held.quantity}, entered at {held.price:.10g}"
        reason = f"leave {told}: profit level {reached}, a gain of {gain_u / entry_u:.2%}"
        numbers = {"quantity": units, "profit_level": reached}
        target = ExitReason.PROFIT_TARGET
        return Fired("leave", -held.side, bar, bar.close, reason, {"entry": held.price}, numbers, target, sale)

    def units(self, confidence: float, price: float, equity_usd: Decimal) -> int:
        """How many shares an entry buys, as the configuration sizes it; 0 when the equity does not buy one."""
        return self.loop.sizing.units(confidence, to_micro(price), self.loop.point_value, int(equity_usd * MICRO))

    @property
    def position(self) -> Mapping[str, float]:
        """What is held: side, quantity, price, stop and target where there are such; empty when flat."""
        return position_of(self.loop.holding)

    def standing(self) -> str:
        """Where it stands after its last bar."""
        return self._said
