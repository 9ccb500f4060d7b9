"""A strategy on a plain instrument that is watched: the backtest's own loop, bar by bar, and what it did in words.

What an observed strategy holds is what `engine.bar_loop` would hold under the rule `close`, in an account of its own;
nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import known
from htbot.domain.orders import ExitReason
from htbot.engine.bar_account import MICRO, Refusal
from htbot.engine.bar_loop import BarLoop, end_s
from htbot.engine.bar_parts import Deal, ExitPlan, Happened, Leave
from htbot.engine.bar_setup import loop_of
from htbot.strategies.bar_strategy import LONG, NONE, WAIT, Advice, BarStrategy, Holding

CASH_USD = Decimal(100_000)
"""What an observed account begins with, as a backtest does unless it is told otherwise."""
NEVER = 1 << 40
"""A session that does not come: until then nothing is entered."""

SIDE_WORDS = {LONG: "long", -LONG: "short"}
_LEFT_FOR = {
    Leave.PROFIT_TARGET: "profit target",
    Leave.STOP_LOSS: "stop",
    Leave.TIME: "time",
    Leave.MARKET_CLOSE: "end of the session",
    Leave.SIGNAL: "its own signal",
    Leave.PROFIT_LEVEL: "profit level",
}


@dataclass(frozen=True, slots=True)
class LevelSale:
    """A part is to be sold for the profit levels after `spent` up to `reached`, by the shares of a plan."""

    spent: int
    reached: int
    plan: ExitPlan

    def units(self, sold: int, entered: int, left: int) -> int:
        """How many of the `left`, where the record knows of a sale for the levels up to `sold`; 0 for none."""
        spent = max(self.spent, sold)
        return self.plan.part(spent, self.reached, entered, left) if self.reached > spent else 0


@dataclass(frozen=True, slots=True)
class Fired:
    """What a strategy did at a closed bar; `direction` is that of the order that it would send.

    `exit_reason` is that of a `leave`; `sale` says that one that trades leaves with a part only.
    """

    action: Literal["enter", "leave"]
    direction: int
    bar: TapeBar
    price: float
    reason: str
    levels: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    exit_reason: ExitReason = ExitReason.SIGNAL
    sale: LevelSale | None = None


def position_of(held: Holding) -> dict[str, float]:
    """A position in numbers: side, quantity, price, stop and target where there are such; empty when flat."""
    if held.side == NONE:
        return {}
    told = {"side": float(held.side), "quantity": float(held.quantity), "price": held.price}
    return told | {name: value for name, value in (("stop", held.stop), ("target", held.target)) if known(value)}


class Asked(BarStrategy):
    """Passes bars on to a strategy and keeps its last advice, so that one that came to nothing can be explained."""

    name = "asked"

    def __init__(self, strategy: BarStrategy) -> None:
        super().__init__(strategy.config)
        self.strategy = strategy
        self.advice = WAIT

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        """What the strategy says."""
        self.advice = self.strategy.on_bar(bar, held)
        return self.advice


class Observation:
    """One strategy, shown closed bars in order; it enters only at bars that end after `since_s` (epoch seconds)."""

    def __init__(self, strategy: BarStrategy, since_s: float) -> None:
        self._asked = Asked(strategy)
        self._since_s = since_s
        self._waits = True
        self.loop: BarLoop = loop_of(self._asked, CASH_USD)
        self.loop.first_session = NEVER
        self._refusals = list(self.loop.refusals)

    def show(self, bar: TapeBar) -> Fired | None:
        """Run one bar; what came of it, None for nothing."""
        loop = self.loop
        if self._waits and end_s(bar) > self._since_s:
            self._waits, loop.first_session = False, 0
        before = loop.holding.side
        self._refusals = list(loop.refusals)
        happened = loop.step(bar)
        if happened == Happened.CLOSED:
            return _left(loop.deal, loop.holding.quantity, bar)
        if before == NONE and loop.holding.side != NONE:
            return self._entered(bar)
        return None

    def _entered(self, bar: TapeBar) -> Fired:
        held, confidence = self.loop.holding, self._asked.advice.confidence
        levels = {name: value for name, value in (("stop", held.stop), ("target", held.target)) if known(value)}
        told = [*(f"{name} {value:.10g}" for name, value in levels.items()), f"confidence {confidence:.4g}"]
        return Fired(
            "enter",
            held.side,
            bar,
            held.price,
            f"{SIDE_WORDS[held.side]} {held.quantity} at {held.price:.10g}: {', '.join(told)}",
            levels,
            {"confidence": confidence, "quantity": float(held.quantity)},
        )

    @property
    def position(self) -> dict[str, float]:
        """What would be held: side, quantity, price, stop and target where there are such; empty when flat."""
        return position_of(self.loop.holding)

    def standing(self) -> str:
        """Where it stands after its last bar, and why an entry that it asked for did not happen."""
        held, advice = self.loop.holding, self._asked.advice
        if held.side != NONE:
            return f"holds {SIDE_WORDS[held.side]} {held.quantity} at {held.price:.10g}"
        if advice.side == NONE:
            return "flat"
        return f"flat; it asked to go {SIDE_WORDS[advice.side]}, {self._why_not()}"

    def _why_not(self) -> str:
        if self._waits:
            return "at a bar from before it was watched"
        for refusal in Refusal:
            if self.loop.refusals[refusal] > self._refusals[refusal]:
                return f"refused by a limit: {refusal.name.lower()}"
        return "a side that it may not take now"


def _left(deal: Deal, remains: int, bar: TapeBar) -> Fired:
    entry, price, gross = deal.entry_u / MICRO, deal.exit_u / MICRO, deal.gross_u / MICRO
    reason = Leave(deal.reason)
    what = f"{deal.quantity} of {deal.quantity + remains}" if remains else str(deal.quantity)
    return Fired(
        "leave",
        -deal.side,
        bar,
        price,
        f"leaves {SIDE_WORDS[deal.side]} {what} at {price:.10g}, entered at {entry:.10g}: {_LEFT_FOR[reason]}",
        {"entry": entry},
        {"quantity": float(deal.quantity), "gross_usd": gross, "fees_usd": deal.fees_u / MICRO},
    )
